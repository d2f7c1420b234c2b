package ui

import (
	"net/http"
	"slices"
	"strings"
)

// knownWords are the words that can be chosen; any other can be typed in.
var knownWords = []words{defaultWords, {"headmate", "headmates"}, {"part", "parts"}, {"alter", "alters"}, {"facet", "facets"}, {"person", "people"}}

// settingsData is what a person can choose for her browser.
type settingsData struct {
	Words []words
	Own   bool // the words are none of those
	Zone  string
}

func (h *Handler) settingsPage(v *visit) error {
	v.view.Title, v.view.Here = "Display", "display"
	h.render(v, 200, "settings", settingsData{Words: knownWords, Own: !slices.Contains(knownWords, v.view.Words), Zone: v.view.Zone.String()})
	return nil
}

// setSettings remembers what was chosen, in cookies of the browser.
func (h *Handler) setSettings(v *visit) error {
	if err := readForm(v); err != nil {
		return err
	}
	form := v.r.PostForm
	text := form.Get("words")
	if text == "own" {
		text = strings.TrimSpace(form.Get("one")) + "/" + strings.TrimSpace(form.Get("many"))
		if parseWords(text) == defaultWords && text != "member/members" {
			return badRequest("Give the word for one and for several, of at most 60 letters together.")
		}
	}
	zone := strings.TrimSpace(form.Get("zone"))
	if zone != "" && loadZone(zone) == nil {
		return badRequest("There is no time zone of this name. They are called like Europe/Berlin or America/New_York.")
	}
	v.choice(cookieWords, text)
	v.choice(cookieFont, form.Get("font"))
	v.choice(cookieZone, zone)
	http.Redirect(v.w, v.r, "/ui/display", http.StatusSeeOther)
	return nil
}
