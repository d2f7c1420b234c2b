package ingest

// Kinds is every kind of source there is. Adding one is a line here. Do not change it.
var Kinds = []Kind{
	pluralKit,
	discord,
	botGhost,
	stellarStack,
	standard,
	sharedToken,
	cloudEvents,
}
