package ingest

// kinds is every kind of source there is. Adding one is a line here.
var kinds = []Kind{
	pluralKit,
	discord,
	botGhost,
	stellarStack,
	standard,
	sharedToken,
	cloudEvents,
}

func kindNamed(name string) (Kind, bool) {
	for _, k := range kinds {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

func kindNames() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	return names
}
