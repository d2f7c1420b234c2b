package ui

import (
	"context"
	"time"
)

// maxSystems is how many systems the first page lists.
const maxSystems = 1000

// home is the front of the only system there is, or a list to choose from.
func (h *Handler) home(v *visit) error {
	systems, err := h.systems(v)
	if err != nil {
		return err
	}
	if len(systems) == 1 {
		v.r.SetPathValue("system", systems[0].UUID)
		v.view = h.newView(v)
		return h.frontPage(v)
	}
	v.view.Title = "Choose"
	h.render(v, 200, "home", systems)
	return nil
}

// systems are those the reader may see.
func (h *Handler) systems(v *visit) ([]System, error) {
	if v.reader.System != "" {
		return []System{{UUID: v.reader.System}}, nil
	}
	return h.Systems(v.r.Context(), maxSystems)
}

// choose finds the system of the address, and notes it in the view.
func (h *Handler) choose(v *visit, here, title string) (system string, err error) {
	system = v.r.PathValue("system")
	var s struct {
		UUID string `json:"uuid"`
		Name string `json:"name"`
	}
	if err := h.ask(v.r.Context(), system, "system", nil, &s); err != nil {
		return "", err
	}
	v.view.System = System{UUID: s.UUID, Name: s.Name}
	v.view.Base = "/ui/systems/" + s.UUID
	v.view.Here, v.view.Title, v.view.Several = here, title, v.reader.System == ""
	return s.UUID, nil
}

// frontData is who fronts, as pages show it.
type frontData struct {
	Sentence phrase
	Known    bool // there is a switch
	Since    moment
	People   []frontPerson
	Today    strip
}

// frontPerson is a member who fronts. A run goes through consecutive switches.
type frontPerson struct {
	person
	Since moment
	For   string
}

func (h *Handler) frontPage(v *visit) error {
	system, err := h.choose(v, "front", "Who is fronting")
	if err != nil {
		return err
	}
	d, err := h.frontData(v.r.Context(), &v.view, system)
	if err != nil {
		return err
	}
	h.render(v, 200, "front", d)
	return nil
}

func (h *Handler) frontData(ctx context.Context, v *view, system string) (frontData, error) {
	v.Now = h.Now()
	f, err := h.front(ctx, system, v.Now)
	if err != nil {
		return frontData{}, err
	}
	d := frontData{Known: f.SwitchUUID != "", Since: v.At(time.UnixMicro(f.SinceUS))}
	var names []string
	for _, m := range f.Members {
		begun := time.UnixMicro(m.SinceUS)
		p := frontPerson{person: v.person(m), Since: v.At(begun), For: span(v.Now.Sub(begun))}
		d.People = append(d.People, p)
		names = append(names, p.Name)
	}
	d.Sentence = frontSentence(d.Known, names)
	if !d.Known {
		return d, nil
	}
	d.Today, err = h.day(ctx, v, system, v.Now)
	return d, err
}

// maxSpoken is how many names a sentence has.
const maxSpoken = 8

func frontSentence(known bool, names []string) phrase {
	switch {
	case !known:
		return say("No switch is known yet.")
	case len(names) == 0:
		return say("Nobody is fronting.")
	case len(names) == 1:
		return say("", names[0], " is fronting.")
	}
	return append(list(names), piece{Text: " are fronting."})
}
