package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// pull streams the asset from its source into the store. Bytes that came by
// network and are wrong are read again before the release is blamed for them.
// What goes on where a killed process stopped came by network too: a local file
// is always read from its beginning.
func (s *Store) pull(ctx context.Context, root *os.Root, entry *cached, a Asset) (string, error) {
	p, err := takePartial(ctx, root, a)
	if err != nil {
		return "", fmt.Errorf("fetching asset %s: making a file in the store: %w", a.Name, err)
	}
	defer p.release()
	if a.SHA256 != "" { // while this one waited, another process may have finished
		if got, ok, err := s.look(ctx, root, entry, a); err != nil {
			return "", fmt.Errorf("fetching asset %s from the store: %w", a.Name, err)
		} else if ok {
			return s.answer(a, got)
		}
	}
	got, resumed, err := s.transfer(ctx, p, a)
	want, have, right := got.against(a)
	if err == nil && !right && hasScheme(a.URI) && !isFile(a.URI) {
		if err := p.restart(); err != nil {
			return "", fmt.Errorf("fetching asset %s: %w", a.Name, err)
		}
		first := got
		got, _, err = s.transfer(ctx, p, a)
		if err == nil && !resumed && got != first {
			if _, again, ok := got.against(a); !ok {
				p.keep = false
				return "", &UnstableError{Asset: a.Name, URI: a.URI, Want: want, First: have, Second: again}
			}
		}
		want, have, right = got.against(a)
	}
	if err != nil {
		return "", fmt.Errorf("fetching asset %s from %s: %w", a.Name, a.URI, err)
	}
	if !right {
		kept, err := s.quarantine(root, p.name, got.sha256)
		if err != nil {
			s.log().Warn("wrong bytes could not be kept", "asset", a.Name, "err", err)
		}
		p.gone, p.keep = err == nil, false
		return "", &DigestError{Asset: a.Name, URI: a.URI, Want: want, Got: have, Quarantined: kept}
	}
	if err := publish(root, p, place(got.sha256), mode(a)); err != nil {
		return "", fmt.Errorf("fetching asset %s: writing to the store: %w", a.Name, err)
	}
	p.gone = true
	return s.answer(a, got)
}

func isFile(uri string) bool {
	_, err := localPath(uri)
	return err == nil
}

// transfer reads the asset's source into the partial file, behind what is in
// it if the source can go on there. What is in it is hashed from the disk: a
// killed process may have left anything.
func (s *Store) transfer(ctx context.Context, p *partial, a Asset) (got sums, resumed bool, err error) {
	open := s.Open
	if open == nil {
		open = Open
	}
	have, err := p.size()
	if err != nil {
		return sums{}, false, err
	}
	src, err := open(ctx, a, have)
	if err != nil {
		return sums{}, false, err
	}
	defer src.Body.Close()
	h := newHasher(s.limit())
	if src.Size > h.limit {
		return sums{}, false, fmt.Errorf("%w: it has %d, more than the allowed %d", errTooLarge, src.Size, h.limit)
	}
	if s.Progress != nil {
		h.progress = func(total int64) { s.Progress(a.Name, total, src.Size) }
	}
	if src.At != have {
		if src.At != 0 {
			return sums{}, false, fmt.Errorf("its source begins at byte %d, not at 0 or %d", src.At, have)
		}
		if err := p.restart(); err != nil {
			return sums{}, false, err
		}
	}
	if _, err := p.Seek(0, io.SeekStart); err != nil {
		return sums{}, false, err
	}
	if src.At > 0 {
		if err := h.feed(ctx, io.Discard, io.LimitReader(p, src.At)); err != nil {
			return sums{}, false, err
		}
	}
	if err := h.feed(ctx, p, src.Body); err != nil {
		p.keep = a.SHA256 != "" && !errors.Is(err, errTooLarge)
		return sums{}, false, err
	}
	return h.sums(), src.At > 0, nil
}

func (s *Store) limit() int64 {
	if s.Limit <= 0 {
		return DefaultLimit
	}
	return s.Limit
}
