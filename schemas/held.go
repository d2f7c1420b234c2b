package schemas

// Held is what the projections hold about one PluralKit system, read from one
// state of them: what a reconciler compares with PluralKit's API.
type Held struct {
	Position Position // the events that are in it

	System   *HeldEntity // nil: nothing is held; likewise the settings
	Settings *HeldEntity

	Source SourceState // how the source stands, by the newest event that told; empty: none did

	// Things that are gone are among them, marked so. Each list is in the
	// order of ID, Guild, Channel.
	Members      []HeldEntity
	Groups       []HeldEntity
	Accounts     []HeldEntity
	SystemGuilds []HeldEntity
	MemberGuilds []HeldEntity
	Autoproxy    []HeldEntity

	// Guilds is every Discord server an event of the system named, sorted:
	// PluralKit does not list those that have settings.
	Guilds []string
}

// HeldEntity is one thing that is held.
type HeldEntity struct {
	ID      string // its uuid; of an account, its Discord id; of a thing of a Discord server, whose it is
	Guild   string // of a thing of a Discord server: which; autoproxy may have none
	Channel string // of autoproxy, which has one in theory

	// Object has the shape of an Observed.Object, with every field there is:
	// what is not known is null. The members of a group are the uuids of
	// those that are not gone, sorted; null: not known. That of an account
	// has linked and allow_autoproxy.
	Object Object

	Gone  bool // it is deleted, unlinked, or the API has it no more
	Final bool // it has a delete event of its own: nothing brings it back

	// TouchedUS is the newest time anything was known of it: that of an event
	// about it, or the asked of an observation; 0: never directly. If it
	// is not before a look began, the look may have missed what happened.
	TouchedUS int64
}

// HeldSwitch is one switch that is held.
type HeldSwitch struct {
	ID          string
	TimestampUS *int64   // nil: not known
	Members     []string // uuids of those that are not gone; nil: not known
	Ordered     bool     // their order is the true one, or there are fewer than two
	Listed      bool     // it is in the timeline: all is known and it is not gone
	StandIn     bool     // a file told of it: its uuid is none that PluralKit knows
	Gone        bool     // as of HeldEntity
	Final       bool
	TouchedUS   int64
}
