package pluralkit

import (
	"testing"

	"switchlog/schemas"
)

// FuzzTagsAreNormal: lists that are said to be normal are not changed by
// being normalised.
func FuzzTagsAreNormal(f *testing.F) {
	for _, list := range []string{`[]`, `[{"prefix":"a:","suffix":null}]`, `[{"prefix":"a","suffix":"b"},{"prefix":null,"suffix":"-c"}]`,
		`[{"suffix":"a","prefix":"b"}]`, `[{"prefix":"\"","suffix":"é"}]`, `[{"prefix":"a","suffix":"b","x":1}]`, `[1]`, `[{}]`, `[{"prefix":1,"suffix":2}]`} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		fields := []schemas.Field{{Name: "proxy_tags", Kind: schemas.List}}
		values, err := schemas.DecodeFields("t", []byte(`{"proxy_tags":`+list+`}`), fields)
		if err != nil || len(values) == 0 || !tagsAreNormal(values[0].Value.(string)) {
			return
		}
		text := values[0].Value.(string)
		tags, err := schemas.ReadProxyTags([]byte(text))
		if err != nil {
			t.Fatalf("%s is said to be normal: %v", text, err)
		}
		if got := writeTags(tags); got != text {
			t.Fatalf("got %s, want %s", text, got)
		}
	})
}
