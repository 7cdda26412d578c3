package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Source is an asset's bytes on their way into the store.
type Source struct {
	Body io.ReadCloser
	At   int64 // offset in the file at which Body begins: what was asked for, or 0
	Size int64 // bytes of the whole file, -1 where nobody says
}

// Opener gives the bytes of an archive asset from where its URI says they are,
// from an offset on if it can. It is the seam for further kinds of sources; it
// need not verify anything.
type Opener func(ctx context.Context, a Asset, from int64) (Source, error)

// Open is the Opener of local files: file: URIs and plain paths. A symbolic
// link is followed, since what counts is the digest of the bytes behind it.
func Open(ctx context.Context, a Asset, _ int64) (Source, error) {
	if err := ctx.Err(); err != nil {
		return Source{}, err
	}
	path, err := localPath(a.URI)
	if err != nil {
		return Source{}, err
	}
	f, err := openRegular(path)
	if err != nil {
		return Source{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return Source{}, errors.Join(err, f.Close())
	}
	return Source{Body: f, Size: info.Size()}, nil
}

func openRegular(path string) (*os.File, error) {
	// A look before: to open a named pipe would wait for its writer.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if err := regular(info); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: path, Err: err}, f.Close())
	}
	return f, nil
}

// regular refuses what is not a plain file.
func regular(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return errors.New("is a directory, not a file")
	default:
		return fmt.Errorf("is not a regular file (%s)", mode.Type())
	}
}

// Copy copies a file to a new one and returns the digest of what it copied, as
// "sha256:…". An executable stays one.
func Copy(ctx context.Context, from, to string) (digest string, err error) {
	in, err := openRegular(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644|info.Mode()&0o111)
	if err != nil {
		return "", err
	}
	got, err := stream(ctx, out, in, info.Size())
	if err := errors.Join(err, out.Close()); err != nil {
		return "", err
	}
	return "sha256:" + got.sha256, nil
}
