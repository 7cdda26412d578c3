package release

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// Program returns the path of a program of Kubernetes for Linux, and its
// SHA-256 in hex. Most releases have it as a file of its own. The first ones
// have some only in their archives; then it is unpacked into the store, as
// verified as the archive is.
func (s *Store) Program(ctx context.Context, r *Release, arch, name string) (file, sum string, err error) {
	if single := "bin/linux/" + arch + "/" + name; has(r, single) {
		file, err := s.Fetch(ctx, r, single)
		return file, filepath.Base(file), err // files of the store are named by their digest
	}
	for _, kind := range []string{"node", "server"} {
		archive := "kubernetes-" + kind + "-linux-" + arch + ".tar.gz"
		if !has(r, archive) {
			continue
		}
		packed, err := s.Fetch(ctx, r, archive)
		if err != nil {
			return "", "", err
		}
		sum, err := s.unpack(ctx, packed, path.Join("kubernetes", kind, "bin", name))
		if err != nil {
			return "", "", fmt.Errorf("program %s of release %s: %s: %w", name, r.Name, archive, err)
		}
		return filepath.Join(s.Dir, filepath.FromSlash(place(sum))), sum, nil
	}
	return "", "", fmt.Errorf("release %s has no %s for linux/%s, neither as a file nor in an archive", r.Name, name, arch)
}

func has(r *Release, asset string) bool {
	_, err := r.Asset(asset)
	return err == nil
}

// mostEntries bounds the archives of programs; real ones have a dozen entries.
const mostEntries = 10_000

// unpack puts one file of a verified archive into the store and returns its
// SHA-256.
func (s *Store) unpack(ctx context.Context, archive, entry string) (string, error) {
	key := filepath.Base(archive) + " " + entry
	s.mu.Lock()
	known := s.unpacked[key]
	s.mu.Unlock()
	root, err := s.root()
	if err != nil {
		return "", err
	}
	defer root.Close()
	program := Asset{Name: "bin/" + path.Base(entry), SHA256: known}
	if known != "" {
		held := s.entry(program)
		held.Lock()
		defer held.Unlock()
		if _, ok, err := s.look(ctx, root, held, program); err != nil || ok {
			return known, err
		}
	}
	got, err := s.unpackInto(ctx, root, archive, entry, program)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unpacked == nil {
		s.unpacked = map[string]string{}
	}
	s.unpacked[key] = got
	return got, nil
}

func (s *Store) unpackInto(ctx context.Context, root *os.Root, archive, entry string, program Asset) (string, error) {
	f, err := openRegular(archive)
	if err != nil {
		return "", err
	}
	defer f.Close()
	limit := s.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	unzipped, err := gzip.NewReader(bufio.NewReaderSize(f, chunk))
	if err != nil {
		return "", err
	}
	in := tar.NewReader(io.LimitReader(unzipped, limit))
	for range mostEntries {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return "", fmt.Errorf("it has no %s", entry)
		}
		if err != nil {
			return "", err
		}
		if path.Clean(h.Name) != entry {
			continue
		}
		if h.Typeflag != tar.TypeReg {
			return "", fmt.Errorf("its %s is not a plain file", entry)
		}
		temp, err := takePartial(ctx, root, Asset{})
		if err != nil {
			return "", err
		}
		defer temp.release()
		got, err := stream(ctx, temp, in, limit)
		if err != nil {
			return "", err
		}
		err = publish(root, temp, place(got.sha256), mode(program))
		temp.gone = err == nil
		return got.sha256, err
	}
	return "", fmt.Errorf("it has more than %d entries", mostEntries)
}
