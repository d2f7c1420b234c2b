//go:build linux

package main

import "context"

func measureLarge(context.Context, *bench) error { return nil }
