package registry

import "context"

// byKey is the key of the name that By gives a context.
type byKey struct{}

// By is ctx of commands that somebody gives: their events name who. The name is the operator's
// ("admin") or a reader's, never a secret. Commands whose context has none are switchlog's own, for
// example to disable a webhook whose receiver is gone.
func By(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, byKey{}, name)
}

// by is the name that ctx was given; empty: none.
func by(ctx context.Context) string {
	name, _ := ctx.Value(byKey{}).(string)
	return name
}

// orSelf is a name as a line of the log shows it.
func orSelf(name string) string {
	if name == "" {
		return "switchlog"
	}
	return name
}
