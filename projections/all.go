package projections

import (
	"switchlog/projections/engine"
	"switchlog/projections/pluralkit"
	"switchlog/projections/webhooks"
)

// All is what the database holds, in the order events are folded into it.
// What depends on a row of another projection comes after it.
var All = []engine.Projection{
	pluralkit.Systems,
	pluralkit.Linked, // writes the table of the one before
	pluralkit.Settings,
	pluralkit.Members,
	pluralkit.Groups,
	pluralkit.Accounts,
	pluralkit.Guilds,
	pluralkit.Autoproxy,
	pluralkit.Messages,
	pluralkit.Imports,
	pluralkit.SourceStates,
	pluralkit.Fronting, // reads members
	Discord,
	BotGhost,
	StellarStack,
	ReceivedStandard,
	ReceivedToken,       // writes the table of the one before
	ReceivedCloudEvents, // likewise
	webhooks.Webhooks,
	webhooks.Deliveries, // reads webhooks, and members as they are after the event
}
