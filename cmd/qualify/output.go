package main

import (
	"bytes"
	"io"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/qualify-dev/qualify/internal/report"
)

// outputFlag adds -o to a verb that prints data.
func outputFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVarP(format, "output", "o", "table", "output format: table, json or yaml")
	completeFlag(cmd, "output", func(string) []string { return []string{"table", "json", "yaml"} })
}

// printAs writes data in the asked format; table makes the one for people.
func printAs(w io.Writer, format string, data any, table func() string) error {
	switch format {
	case "table":
		_, err := io.WriteString(w, table())
		return err
	case "json":
		return report.EncodeJSON(w, data)
	case "yaml":
		var plain bytes.Buffer
		if err := report.EncodeJSON(&plain, data); err != nil {
			return err
		}
		// By way of JSON that escapes what YAML would refuse to read.
		text, err := yaml.JSONToYAML(plain.Bytes())
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	return usagef("unknown output format %q: use table, json or yaml", format)
}
