package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// version is set by the build (-X main.version=…).
var version = "dev"

func newVersionCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
			}{version, runtime.Version()}
			return printAs(cmd.OutOrStdout(), format, v, func() string { return fmt.Sprintf("qualify %s (%s)\n", v.Version, v.Go) })
		},
	}
	outputFlag(cmd, &format)
	return cmd
}
