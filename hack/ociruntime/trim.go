package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// object is a JSON object of which only the touched members are decoded, so
// that all others reach runc as they were written, numbers included.
type object map[string]json.RawMessage

// trimFile removes from the file of req what own cannot grant.
func trimFile(req request, own limits) error {
	// A renamed copy would replace a link by a file and a pipe by nothing.
	path, err := filepath.EvalSymlinks(req.path)
	if err != nil {
		return fmt.Errorf("finding the request: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("finding the request: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	trim := trimConfig
	if req.bare {
		trim = trimProcess
	}
	trimmed, changed, err := trim(raw, own)
	if err != nil {
		return fmt.Errorf("trimming %s: %w", path, err)
	}
	if !changed {
		return nil
	}
	return replaceFile(path, trimmed, info.Mode().Perm())
}

// replaceFile puts data in the place of the file at path in one step: a
// caller that looks at it sees the old content or the new, never a half.
func replaceFile(path string, data []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	_, err = tmp.Write(data)
	if chmodErr := tmp.Chmod(mode); err == nil {
		err = chmodErr
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		// The first error is the one to tell.
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	return nil
}

// trimConfig trims the process of a container's config.json.
func trimConfig(raw []byte, own limits) ([]byte, bool, error) {
	var config object
	if err := json.Unmarshal(raw, &config); err != nil {
		return nil, false, fmt.Errorf("parsing the config: %w", err)
	}
	if absent(config["process"]) {
		return raw, false, nil
	}
	process, changed, err := trimProcess(config["process"], own)
	if err != nil || !changed {
		return raw, false, err
	}
	config["process"] = process
	out, err := encode(config)
	return out, true, err
}

// trimProcess removes from a process what own cannot grant. It tells whether
// there was anything to remove.
func trimProcess(raw []byte, own limits) ([]byte, bool, error) {
	var process object
	if err := json.Unmarshal(raw, &process); err != nil {
		return nil, false, fmt.Errorf("parsing the process: %w", err)
	}
	changed, err := trimCapabilities(process, own.caps)
	if err != nil {
		return nil, false, err
	}
	if !own.caps[capSysResource] {
		lowered, err := trimOOMScore(process)
		if err != nil {
			return nil, false, err
		}
		raised, err := trimRlimits(process, own.hard)
		if err != nil {
			return nil, false, err
		}
		changed = changed || lowered || raised
	}
	if !changed {
		return raw, false, nil
	}
	out, err := encode(process)
	return out, true, err
}

// trimCapabilities keeps, in every set, the capabilities that are granted.
func trimCapabilities(process object, granted map[string]bool) (bool, error) {
	if absent(process["capabilities"]) {
		return false, nil
	}
	var sets map[string][]string
	if err := json.Unmarshal(process["capabilities"], &sets); err != nil {
		return false, fmt.Errorf("parsing the capabilities: %w", err)
	}
	changed := false
	for set, names := range sets {
		kept := make([]string, 0, len(names))
		for _, name := range names {
			if granted[name] {
				kept = append(kept, name)
			}
		}
		changed = changed || len(kept) != len(names)
		sets[set] = kept
	}
	return changed, store(process, "capabilities", sets, changed)
}

// trimOOMScore drops a negative score: lowering it below one's own needs
// CAP_SYS_RESOURCE.
func trimOOMScore(process object) (bool, error) {
	if absent(process["oomScoreAdj"]) {
		return false, nil
	}
	var score int
	if err := json.Unmarshal(process["oomScoreAdj"], &score); err != nil {
		return false, fmt.Errorf("parsing oomScoreAdj: %w", err)
	}
	if score >= 0 {
		return false, nil
	}
	delete(process, "oomScoreAdj")
	return true, nil
}

// trimRlimits drops the limits that are higher than one's own hard limit:
// raising it needs CAP_SYS_RESOURCE. The container then keeps the runtime's
// limit. A resource whose limit is not known is left to runc's judgement.
func trimRlimits(process object, hard map[string]uint64) (bool, error) {
	if absent(process["rlimits"]) {
		return false, nil
	}
	var all []json.RawMessage
	if err := json.Unmarshal(process["rlimits"], &all); err != nil {
		return false, fmt.Errorf("parsing the rlimits: %w", err)
	}
	kept := make([]json.RawMessage, 0, len(all))
	for _, raw := range all {
		var wanted struct {
			Type string `json:"type"`
			Hard uint64 `json:"hard"`
		}
		if err := json.Unmarshal(raw, &wanted); err != nil {
			return false, fmt.Errorf("parsing an rlimit: %w", err)
		}
		if own, known := hard[wanted.Type]; known && wanted.Hard > own {
			continue
		}
		kept = append(kept, raw)
	}
	changed := len(kept) != len(all)
	return changed, store(process, "rlimits", kept, changed)
}

// absent tells whether a member is missing or null.
func absent(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}

// store encodes value as a member of o, unless it did not change.
func store(o object, member string, value any, changed bool) error {
	if !changed {
		return nil
	}
	raw, err := encode(value)
	o[member] = raw
	return err
}

// encode is json.Marshal without the escapes for HTML, to keep strings as
// they were written.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}
