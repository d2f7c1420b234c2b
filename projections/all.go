package projections

// All is what the database holds, in the order events are folded into it.
// What depends on a row of another projection comes after it.
var All = []Projection{
	Systems,
	Linked, // writes the table of the one before
	Settings,
	Members,
	Groups,
	Accounts,
	Guilds,
	Autoproxy,
	Messages,
	Imports,
	SourceStates,
	Fronting, // reads members
	Discord,
	BotGhost,
	StellarStack,
	ReceivedStandard,
	ReceivedToken,       // writes the table of the one before
	ReceivedCloudEvents, // likewise
	Webhooks,
	Deliveries, // reads webhooks, and members as they are after the event
}
