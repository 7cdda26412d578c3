package testimages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
)

// Busybox is compiled from its own source, as the upstream image's is. Debian's
// is no substitute: a patch of it takes back that the shell passes environment
// variables on whose names it could not use itself ("data-1"), which is what
// specs of ConfigMaps and Secrets look at; other shells that pass them on word
// the failure to write a file differently from what another spec wants.
const (
	busyboxVersion = "1.37.0"
	busyboxSum     = "3311dff32e746499f4df0d5df04d7eb396382d7e108bb9250e7b519b837043a4" // SHA-256
)

// busyboxPlaces are where its source can be had, the same bytes in each: the
// pool of the mirrors that this machine takes its packages from, and upstream.
func busyboxPlaces(ctx context.Context) []string {
	var places []string
	for _, mirror := range mirrors(ctx) {
		places = append(places, mirror+"/pool/main/b/busybox/busybox_"+busyboxVersion+".orig.tar.bz2")
	}
	return append(places, "https://busybox.net/downloads/busybox-"+busyboxVersion+".tar.bz2")
}

// mirrors are those of the machine's package manager, none where it has no apt
// or knows of none.
func mirrors(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages").Output()
	if err != nil {
		return nil
	}
	var found []string
	for _, site := range strings.Fields(string(out)) {
		site = strings.TrimSuffix(site, "/")
		web := strings.HasPrefix(site, "http://") || strings.HasPrefix(site, "https://")
		if web && !slices.Contains(found, site) {
			found = append(found, site)
		}
	}
	return found
}

// busyboxBuild is part of the key: change it with what is compiled.
const busyboxBuild = `make -s defconfig </dev/null
sed -i 's/.*CONFIG_STATIC is not set/CONFIG_STATIC=y/; s/^CONFIG_TC=y/# CONFIG_TC is not set/' .config
make -s oldconfig </dev/null
make -s -j"$(nproc)" busybox LDFLAGS=-Wl,--build-id=none
./busybox --list-full > places
`

// busybox returns a directory with the program and the list of where its applets belong.
func busybox(ctx context.Context, c cache.Cache) (dir string, err error) {
	cc, err := exec.CommandContext(ctx, "gcc", "--version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("gcc is not installed, and busybox is a C program: run hack/setup")
	}
	if err != nil {
		return "", fmt.Errorf("asking gcc for its version: %w", err)
	}
	dir, _, err = c.Do(ctx, "compiled", cache.Key("busybox", string(cc), busyboxSum, busyboxBuild), func(dir string) error {
		return compileBusybox(ctx, dir)
	})
	if err != nil {
		return "", fmt.Errorf("compiling busybox: %w", err)
	}
	return dir, nil
}

func compileBusybox(ctx context.Context, dir string) error {
	source := filepath.Join(dir, "source")
	if err := os.Mkdir(source, 0o755); err != nil {
		return err
	}
	archive, err := fetchSource(ctx, http.DefaultClient, busyboxPlaces(ctx), busyboxSum)
	if err != nil {
		return err
	}
	unpack := exec.CommandContext(ctx, "tar", "-xj", "--no-same-owner", "--strip-components=1", "-C", source)
	unpack.Stdin = bytes.NewReader(archive)
	if out, err := unpack.CombinedOutput(); err != nil {
		return fmt.Errorf("unpacking its source (tar and bzip2 are needed): %w: %s", err, lastLine(out))
	}
	build := exec.CommandContext(ctx, "sh", "-euc", busyboxBuild)
	build.Dir = source
	build.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=0", "KCONFIG_NOTIMESTAMP=1", "LC_ALL=C", "TMPDIR="+source)
	build.WaitDelay = 5 * time.Second
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("make (it and gcc are needed): %w: %s", err, lastLine(out))
	}
	for _, name := range []string{"busybox", "places"} {
		if err := os.Rename(filepath.Join(source, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return os.RemoveAll(source)
}

// mostSource bounds what is taken for a source archive, in bytes.
const mostSource = 16 << 20

// fetchSource returns the bytes that have the SHA-256, from the first place that
// has them.
func fetchSource(ctx context.Context, client *http.Client, places []string, sum string) ([]byte, error) {
	var problems error
	for _, place := range places {
		data, err := download(ctx, client, place)
		if err == nil {
			if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != sum {
				err = fmt.Errorf("it has sha256 %x, not %s", got, sum)
			}
		}
		if err == nil {
			return data, nil
		}
		problems = errors.Join(problems, fmt.Errorf("fetching %s: %w", place, err))
	}
	return nil, problems
}

func download(ctx context.Context, client *http.Client, place string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, mostSource+1))
	if err == nil && len(data) > mostSource {
		err = fmt.Errorf("it has more than %d bytes", mostSource)
	}
	return data, err
}

// appletForm is the place of an applet: "usr/bin/env".
var appletForm = regexp.MustCompile(`^(usr/)?s?bin/[A-Za-z0-9_.\[-]+$`)

// applets are the places at which busybox's programs belong.
func applets(list string) ([]string, error) {
	var places []string
	for _, line := range strings.Fields(list) {
		switch {
		case line == "linuxrc" || line == "bin/busybox":
		case !appletForm.MatchString(line):
			return nil, fmt.Errorf("busybox lists %q, which is no place of a program", line)
		default:
			places = append(places, line)
		}
	}
	if len(places) < 100 {
		return nil, fmt.Errorf("busybox lists %d programs: it has some 400", len(places))
	}
	return places, nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
