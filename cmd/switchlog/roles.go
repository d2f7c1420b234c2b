package main

import (
	"fmt"
	"slices"
	"strings"
)

// role is a part of the server that a node may run.
//
// Whatever its roles, a node has a spool, the registry of its sources, and its
// private listener with the operator's commands: a command that adds events
// works anywhere.
type role string

const (
	roleIngest  role = "ingest"  // the public listener: webhooks come in
	roleProcess role = "process" // the database: folding, changes, reconciliation; one node for each log
	roleQuery   role = "query"   // answers from that database, over HTTP and NATS
	roleDeliver role = "deliver" // other people's endpoints hear of what is due in that database
)

var allRoles = roles{roleIngest, roleProcess, roleQuery, roleDeliver}

// roles are what a node runs: the value of --roles.
type roles []role

func (r roles) has(one role) bool { return slices.Contains(r, one) }

// String is the list as it is written.
func (r *roles) String() string {
	names := make([]string, len(*r))
	for i, one := range *r {
		names[i] = string(one)
	}
	return strings.Join(names, ",")
}

// Set reads a list. The order does not matter.
func (r *roles) Set(s string) error {
	var list roles
	for _, name := range strings.Split(s, ",") {
		one := role(strings.TrimSpace(name))
		if !allRoles.has(one) {
			return fmt.Errorf("unknown role %q (hint: any of %s)", maskSecrets(string(one)), &allRoles)
		}
		if !list.has(one) {
			list = append(list, one)
		}
	}
	*r = list
	return nil
}

// Type is what the flag's help says it takes.
func (r *roles) Type() string { return "list" }

// check finds lists that cannot work.
func (r roles) check() error {
	for _, one := range []role{roleQuery, roleDeliver} {
		if r.has(one) && !r.has(roleProcess) {
			return fmt.Errorf("%w: --roles: %s needs process beside it, which keeps the database that %[2]s reads", errUsage, one)
		}
	}
	return nil
}
