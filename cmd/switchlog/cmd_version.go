package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/mattn/go-sqlite3"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus"
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
	cmd := &cobra.Command{Use: "version", Short: "What this binary is"}
	return withAnswer(cmd, func(_ context.Context, c *call) error {
		return c.answer(thisVersion(), func() error { return c.say("%s", versionLine()) })
	})
}

func thisVersion() versionInfo {
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
	return v
}

// versionLine is what --version says.
func versionLine() string {
	v := thisVersion()
	return fmt.Sprintf("switchlog %s (%s, %s; NATS %s, SQLite %s)", v.Version, v.Go, v.Platform, v.NATS, v.SQLite)
}

// newBuildInfo is the metric by which one sees which version runs where.
func newBuildInfo() prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "switchlog_build_info", Help: "Always 1; its labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	info.Set(1)
	return info
}
