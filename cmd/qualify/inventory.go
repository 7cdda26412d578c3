package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/metal"
)

func newInventoryCommand(w wiring) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "Lists of machines: make one of another tool's, and look at the machines",
	}
	cmd.AddCommand(newInventoryImportCommand(), newInventoryCheckCommand(w), newInventoryPowerCommand(w))
	return cmd
}

func newInventoryImportCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "import --from TOOL FILE",
		Short: "Print the inventory that another tool's file makes; what it cannot hold is listed on stderr",
		Long: `Reads the hosts of a k0sctl configuration, a kubespray INI inventory or the hardware
CSV of EKS Anywhere, and prints an inventory for --inventory. What the file says and
an inventory cannot is listed on standard error, passwords by their fields' names alone.`,
		Example: `  qualify inventory import --from k0sctl k0sctl.yaml > inventory.yaml`,
		Args:    oneArg("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(inventory.Sources(), from) {
				return usagef("--from is %q: known are %s", from, strings.Join(inventory.Sources(), ", "))
			}
			data, err := readForeign(args[0])
			if err != nil {
				return usagef("%w", err)
			}
			in, err := inventory.Import(from, args[0], data)
			if err != nil {
				return usagef("%w", err)
			}
			for _, line := range in.Left {
				fmt.Fprintf(cmd.ErrOrStderr(), "not carried over: %s\n", line)
			}
			text, err := in.Inventory.Marshal()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "whose file it is: "+strings.Join(inventory.Sources(), ", "))
	completeFlag(cmd, "from", func(string) []string { return inventory.Sources() })
	return cmd
}

// readForeign reads a file of others, and not more of it than one can be.
func readForeign(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 2<<20))
}

func newInventoryCheckCommand(w wiring) *cobra.Command {
	var system string
	var trust bool
	cmd := &cobra.Command{
		Use:   "check --os OS FILE",
		Short: "Look at all machines of an inventory, change nothing, and tell what keeps them from being nodes",
		Long: `Logs in on every machine and looks: reachable, root, operating system, clock, memory,
disk, swap, cgroups, modules, ports, package manager, other clusters, names and ids
that two of them share, and whether they reach each other. It is what a run does
before it takes them. The exit code is 0 where all can be taken, and 3 otherwise.`,
		Args: oneArg("an inventory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			os, err := nodeos.Find(system)
			if err != nil {
				return usagef("--os: %w", err)
			}
			names, trusted, err := metal.Check(cmd.Context(), provision.Config{Inventory: args[0], TrustNewHostKeys: trust, Sink: w.sink, Log: func(string, ...any) {}}, os.ID)
			for _, line := range trusted {
				fmt.Fprintln(cmd.ErrOrStderr(), line)
			}
			var unfit *metal.PreflightError
			if err != nil && !errors.As(err, &unfit) && cmd.Context().Err() == nil {
				return usagef("%w", err) // the file, or a key that it names
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d machines can be nodes: %s\n", len(names), strings.Join(names, ", "))
			return err
		},
	}
	cmd.Flags().StringVar(&system, "os", "", "the operating system that they are to have, e.g. debian-12")
	cmd.Flags().BoolVar(&trust, "trust-new-host-keys", false, "accept machines that the inventory's knownHosts file lacks, and add them to it; each is told on stderr")
	return cmd
}

func newInventoryPowerCommand(w wiring) *cobra.Command {
	return &cobra.Command{
		Use:   "power FILE HOST ACTION",
		Short: "Switch a machine of an inventory on or off, or look whether it is on, by its BMC",
		Long: `Asks the BMC that the inventory names for the host, by Redfish. ACTION is one of
  status      print what it is
  on, off     switch it, and wait until it is; off cuts the power
  cycle       start it anew, whatever it does
  pxe, disk   have it boot from there the next time, and only then
Who holds the machine is not asked: a run that uses it loses its node.`,
		Example: `  qualify inventory power inventory.yaml m1 cycle`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 3 {
				return usagef("want an inventory, a host and one of %s", strings.Join(metal.PowerActions(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(metal.PowerActions(), args[2]) {
				return usagef("%q is nothing that can be done with power: say one of %s", args[2], strings.Join(metal.PowerActions(), ", "))
			}
			said, err := metal.Power(cmd.Context(), provision.Config{Inventory: args[0], Sink: w.sink, Log: func(string, ...any) {}}, args[1], args[2])
			var controller *metal.PowerError
			if err != nil && !errors.As(err, &controller) && cmd.Context().Err() == nil {
				return usagef("%w", err) // the file, the host, or a password that it names
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", args[1], said)
			return err
		},
	}
}
