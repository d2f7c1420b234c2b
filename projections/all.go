package projections

// All is what the database holds, in the order events are folded into it.
var All = []Projection{
	Fronting, // reads members
}
