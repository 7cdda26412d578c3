package provision

import (
	"errors"
	"fmt"
	"testing"
)

func TestProductErrorIsToldFromOthers(t *testing.T) {
	cause := errors.New("exit status 1")
	err := fmt.Errorf("up: %w", &ProductError{Component: "kubelet", Doing: "starting on node q-1", Log: "boom", Err: cause})
	var product *ProductError
	if !errors.As(err, &product) || product.Log != "boom" || !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	if got, want := err.Error(), "up: starting on node q-1: kubelet: exit status 1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if errors.As(fmt.Errorf("quota: %w", cause), &product) {
		t.Error("an infrastructure error blames the release")
	}
}

func TestLeftoverErrorListsEverything(t *testing.T) {
	cause := errors.New("in use")
	left := []Resource{{Kind: "container", Name: "q-1-worker"}, {Kind: "network", Name: "q-1"}}
	for want, err := range map[string]*LeftoverError{
		"resources are left over: container/q-1-worker network/q-1":         {Resources: left},
		"resources are left over: container/q-1-worker network/q-1: in use": {Resources: left, Err: cause},
	} {
		if err.Error() != want || errors.Is(err, cause) != (err.Err != nil) {
			t.Errorf("%q, want %q", err, want)
		}
	}
}
