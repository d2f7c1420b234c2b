package manage

// Limits of a replay, for tests.
const (
	MaxReplay   = maxReplay
	ReplayPart  = replayPart
	MaxReplayed = maxReplayed
)
