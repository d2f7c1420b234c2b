package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/mattn/go-sqlite3"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/spf13/cobra"
)

// version is set by the Makefile; a plain go build leaves it.
var version = "devel"

// versionInfo is what this binary is made of.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	NATS     string `json:"nats_server"`
	SQLite   string `json:"sqlite"`
}

func newVersion() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "What this binary is", Args: cobra.NoArgs}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		sqlite, _, _ := sqlite3.Version()
		v := versionInfo{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
			NATS: natsserver.VERSION, SQLite: sqlite}
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" {
					v.Revision = s.Value
				}
			}
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), v)
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "switchlog %s (%s, %s; NATS %s, SQLite %s)\n", v.Version, v.Go, v.Platform, v.NATS, v.SQLite)
		return err
	}
	return cmd
}
