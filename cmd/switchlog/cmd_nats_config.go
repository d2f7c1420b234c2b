package main

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
)

// natsConfigAnswer is a configuration for a NATS server of one's own.
type natsConfigAnswer struct {
	Config  string `json:"config"`
	Readers int    `json:"readers"`
}

func newNATSConfig() *cobra.Command {
	return withServer(&cobra.Command{
		Use:   "nats-config",
		Short: "A configuration for a NATS server of your own, with all readers",
		Long: "Write a configuration for a NATS server of your own to standard output: nats.conf with the users of all readers, by the hashes of their passwords.\n" +
			"The server inside needs none of it. Make it anew and have the server read it (nats-server --signal reload) after each access add and access revoke:\n" +
			"until then a new reader cannot connect, and one that was revoked hears what is live.\n\n" +
			"  switchlog nats-config > nats.conf",
	}, func(ctx context.Context, c *call) error {
		var a natsConfigAnswer
		if err := c.call(ctx, "GET", "/api/admin/nats-config", nil, &a); err != nil {
			return err
		}
		return c.answer(a, func() error {
			_, err := fmt.Fprint(c.out, a.Config)
			return err
		})
	})
}

// examineReaders says which protections of readers hold: the server inside takes its users from us, one
// outside has those of its own configuration.
func (n *node) examineReaders() (findings []finding) {
	users, _ := n.natsUsers()
	if n.server != nil {
		return []finding{found("readers", fine, fmt.Sprintf("%d readers, whom the NATS server lets in and out as they are added and revoked", len(users)))}
	}
	if nc, err := nats.Connect(n.natsURL, nats.NoReconnect(), nats.Timeout(retryEvery*5)); err == nil {
		nc.Close()
		findings = append(findings, found("readers", problem, "the NATS server at "+n.natsURL+" lets in whoever has no password, and so everybody reads everything (hint: switchlog nats-config writes a configuration without that)"))
	}
	if len(users) > 0 {
		findings = append(findings, found("readers", warning, fmt.Sprintf("%d readers. What they may do on the NATS server at %s is what its own configuration says, and one that is revoked stays connected there until it reads another "+
			"(hint: switchlog nats-config > nats.conf, and nats-server --signal reload). Over HTTP, and what the service answers, is as here", len(users), n.natsURL)))
	}
	return findings
}
