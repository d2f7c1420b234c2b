package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestPortInUse: whichever listener's address is taken, the cause comes first, and
// one hint names the flag that chooses another.
func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	flags := []string{"--listen", "--private-listen", "--nats-listen"}
	for _, flag := range flags {
		args := []string{"serve", "--data", filepath.Join(t.TempDir(), "data")}
		for _, other := range flags {
			address := "127.0.0.1:0"
			if other == flag {
				address = l.Addr().String()
			}
			args = append(args, other, address)
		}
		_, errOut, code := runCommand(t, nil, args...)
		last := errOut[strings.LastIndex(strings.TrimSpace(errOut), "\n")+1:]
		if code != exitFailed || strings.Count(last, "(hint: ") != 1 || !strings.Contains(last, flag+" chooses another") ||
			!strings.Contains(last, "address already in use (hint: ") || strings.Contains(errOut, `"ERROR"`) {
			t.Errorf("%s: got exit code %d, %q, want the cause, then one hint with the flag", flag, code, errOut)
		}
	}
}

func TestBuildInfo(t *testing.T) {
	r := prometheus.NewRegistry()
	r.MustRegister(newBuildInfo())
	got, err := r.Gather()
	if err != nil || len(got) != 1 || got[0].GetName() != "switchlog_build_info" || got[0].GetMetric()[0].GetGauge().GetValue() != 1 {
		t.Errorf("got %v, %v, want switchlog_build_info 1", got, err)
	}
}
