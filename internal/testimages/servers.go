package testimages

import "github.com/qualify-dev/qualify/internal/release/source"

// shell is what commands that specs run in a container need.
var shell = []string{"bash", "coreutils", "dash", "grep", "hostname", "mawk", "procps", "sed", "tar"}

// servers are web servers. Specs move their index file away to make a
// readiness probe fail, and look at the version of nothing but the tag.
func servers() []entry {
	return []entry{
		{
			image: "e2e-test-images/httpd", how: "Debian's apache2, with the folders of the upstream image",
			debian: append([]string{"apache2-bin", "media-types"}, shell...), files: httpd,
			command: []string{"/usr/local/bin/httpd-foreground"},
		},
		{
			image: "e2e-test-images/nginx", how: "Debian's nginx, with the folders of the upstream image",
			debian: append([]string{"nginx"}, shell...), files: nginx,
			command: []string{"nginx", "-g", "daemon off;"},
		},
	}
}

// httpdConf is the smallest configuration with what the upstream image's does.
const httpdConf = `ServerRoot "/usr/local/apache2"
ServerName localhost
User www-data
Group www-data
Listen 80
PidFile /tmp/httpd.pid
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
TypesConfig /etc/mime.types
DocumentRoot "/usr/local/apache2/htdocs"
DirectoryIndex index.html
ErrorLog /proc/self/fd/2
LogFormat "%h %l %u %t \"%r\" %>s %b" common
CustomLog /proc/self/fd/1 common
<Directory />
  Require all granted
</Directory>
`

func httpd(parts) ([]source.File, error) {
	return []source.File{
		{Path: "usr/local/apache2/htdocs/index.html", Content: "<html><body><h1>It works!</h1></body></html>\n", Mode: 0o644},
		{Path: "usr/local/apache2/conf/httpd.conf", Content: httpdConf, Mode: 0o644},
		{Path: "usr/local/apache2/logs", Dir: true, Mode: 0o755},
		{Path: "usr/local/bin/httpd", Link: "/usr/sbin/apache2"},
		{
			Path: "usr/local/bin/httpd-foreground", Mode: 0o755,
			Content: "#!/bin/sh\nset -e\nrm -f /tmp/httpd.pid\nexec httpd -DFOREGROUND -f /usr/local/apache2/conf/httpd.conf \"$@\"\n",
		},
	}, nil
}

// nginxConf writes its logs where kubectl logs finds them, as upstream does.
const nginxConf = `worker_processes 1;
pid /tmp/nginx.pid;
error_log /dev/stderr notice;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log /dev/stdout;
  server {
    listen 80;
    location / { root /usr/share/nginx/html; index index.html; }
  }
}
`

func nginx(parts) ([]source.File, error) {
	return []source.File{
		{Path: "etc/nginx/nginx.conf", Content: nginxConf, Mode: 0o644},
		{Path: "usr/share/nginx/html/index.html", Content: "<html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>\n", Mode: 0o644},
		{Path: "var/lib/nginx", Dir: true, Mode: 0o755},
		{Path: "var/log/nginx", Dir: true, Mode: 0o755},
	}, nil
}
