package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/images"
	"github.com/qualify-dev/qualify/internal/release/intake"
)

// fetchFlags are those of the verbs that fetch.
func (o *intakeOptions) fetchFlags(cmd *cobra.Command) {
	o.flags(cmd)
	f := cmd.Flags()
	imageRegistryFlag(cmd, &o.imageRegistry)
	f.IntVar(&o.parallel, "parallel", 4, "transfers at a time")
	allowUnboundFlag(cmd, &o.allowUnbound)
	noLiveFlag(cmd, &o.noLive)
}

// fetchRules is what verify and fetch have in common, for their help.
const fetchRules = `Every archive is streamed once through SHA-256 and SHA-512 into a store, and every
part of an image is fetched by its digest. Broken downloads go on where they broke,
also after a kill. Checksums that are published beside archives must agree with the
manifest. Wrong bytes are kept apart in the store's quarantine/.

Exit codes: 0 verified, 1 the release is wrong, 2 usage or an unbound release,
3 it could not be told.`

func newReleaseVerifyCommand(w wiring) *cobra.Command {
	o := intakeOptions{w: w}
	cmd := &cobra.Command{
		Use:   "verify REF",
		Short: "Fetch everything a release has, and compare it with its digests",
		Long:  fetchRules + "\n\n" + releaseRefs,
		Example: `  qualify release verify eks-d:1-34-21
  qualify release verify candidate/ --image-registry registry.example:5000/candidates`,
		Args: oneArg("a release"),
		RunE: func(cmd *cobra.Command, args []string) error {
			taken, err := o.takeIn(cmd, args[0])
			if taken.report == nil {
				return err
			}
			printErr := printAs(cmd.OutOrStdout(), o.format, taken.report, func() string { return verifyTable(taken.report) })
			if err != nil {
				return err
			}
			return printErr
		},
	}
	o.fetchFlags(cmd)
	return cmd
}

// takenIn is a release that was fetched.
type takenIn struct {
	intake intake.Intake
	rel    *release.Release
	report *intake.Report // nil where nothing was fetched
}

// takeIn fetches and verifies a whole release.
func (o *intakeOptions) takeIn(cmd *cobra.Command, text string) (takenIn, error) {
	w, err := o.shop(cmd)
	if err != nil {
		return takenIn{}, err
	}
	if o.parallel < 1 || o.parallel > 64 {
		return takenIn{}, usagef("--parallel is %d, and is between 1 and 64", o.parallel)
	}
	if o.imageRegistry != "" {
		if err := images.CheckPlace(o.imageRegistry); err != nil {
			return takenIn{}, usagef("--image-registry: %w", err)
		}
	}
	rel, err := o.manifest(cmd.Context(), w, text)
	if err != nil {
		return takenIn{}, err
	}
	if unbound := rel.Unbound(); len(unbound) > 0 && !o.allowUnbound {
		return takenIn{}, usagef("release %s is unbound: it has no digest for %d of its %d assets, %s among them, so nothing can tell whether their bytes are the release's; "+
			"--allow-unbound fetches them and says so", rel.Name, len(unbound), len(rel.Assets()), unbound[0].Name)
	}
	bar := o.w.newBar(cmd.ErrOrStderr(), o.noLive)
	defer bar.close()
	w.store.Log, w.store.AllowUnbound, w.store.Progress = o.w.sink.Logger(bar), o.allowUnbound, bar.progress
	t := takenIn{rel: rel, intake: intake.Intake{
		Store: w.store, Client: w.published, Parallel: o.parallel, Mirrors: images.Mirrors{All: o.imageRegistry},
	}}
	t.report, err = t.intake.Verify(cmd.Context(), rel)
	if err != nil && cmd.Context().Err() == nil && intake.Fault(err) {
		err = &releaseError{err}
	}
	return t, err
}

func verifyTable(r *intake.Report) string {
	var text strings.Builder
	text.WriteString(table("ASSET\tCOMPONENT\tSTATE\tBYTES\tCHECKSUMS\tDIGEST", func(row func(...string)) {
		for _, a := range r.Rows {
			row(a.Asset, a.Component, string(a.State), fmt.Sprint(a.Bytes), fmt.Sprint(a.Siblings), dash(a.Digest))
		}
	}))
	fmt.Fprintf(&text, "\n%s %s: %d verified, %d unbound, %d failed, %s\n", r.Release, r.Digest,
		r.Count(intake.Verified), r.Count(intake.Unbound), r.Count(intake.Failed), bytesText(r.Bytes))
	return text.String()
}
