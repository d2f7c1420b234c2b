package ui

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchlog/schemas"
)

// What others see of a member that is hidden from lists. The owner chooses.
const (
	PrivateNothing = "nothing" // as if nobody were there
	PrivateNumber  = "number"  // how many they are
	PrivateSomeone = "someone" // that there are some
)

// overlayOptions are how an overlay looks, from its address.
type overlayOptions struct {
	Size     string // s, m, l, xl
	Names    bool
	Pronouns bool
	Align    string // left, center, right
}

// publicData is who fronts as anybody may see it.
type publicData struct {
	Open     bool // the system shows who fronts
	Sentence phrase
	People   []person
	Hidden   string // what stands for those who are hidden; empty: nothing
	Live     string // address of the stream
	Overlay  bool
	Options  overlayOptions
}

// public serves a page to a reader that sees what anybody may. Its token is in
// the address, since a program that shows an overlay can say nothing else. Such a
// token opens nothing more.
func (h *Handler) public(page func(v *visit, system string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r}
		v.token = sha256.Sum256([]byte(tokenInAddress(r)))
		var ok bool
		if v.reader, ok = h.Reader(v.token); !ok || !v.reader.Public || v.reader.System == "" {
			v.reader = Reader{}
			v.view = h.newView(v)
			h.fail(v, errNotFound)
			return
		}
		r.SetPathValue("system", v.reader.System)
		v.view = h.newView(v)
		v.view.SignedIn, v.view.Operator, v.view.Docs = false, false, false
		if err := page(v, v.reader.System); err != nil {
			h.fail(v, err)
		}
	}
}

func tokenInAddress(r *http.Request) string {
	if token := r.PathValue("token"); token != "" {
		return token
	}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return r.URL.Query().Get("token")
}

func (h *Handler) publicPage(v *visit, system string) error {
	d, err := h.publicFront(v, system, false)
	if err != nil {
		return err
	}
	v.view.Title = "Who is fronting"
	h.render(v, 200, "public", d)
	return nil
}

func (h *Handler) overlayPage(v *visit, system string) error {
	d, err := h.publicFront(v, system, true)
	if err != nil {
		return err
	}
	v.view.Title = "Overlay"
	h.renderAs(v, 200, "overlay", "overlay", d)
	return nil
}

func (h *Handler) publicStream(v *visit, system string) error {
	overlay := v.r.URL.Query().Get("overlay") != ""
	v.again = func() bool {
		reader, ok := h.Reader(v.token)
		return ok && reader.Public && reader.System == system
	}
	return h.stream(v, system, func() (string, error) {
		d, err := h.publicFront(v, system, overlay)
		if err != nil {
			return "", err
		}
		v.view.Data = d
		var b bytes.Buffer
		err = h.pages.all["public"].ExecuteTemplate(&b, "public-live", &v.view)
		return b.String(), err
	})
}

// publicFront is who fronts as others may see it, by the one privacy policy.
func (h *Handler) publicFront(v *visit, system string, overlay bool) (publicData, error) {
	ctx := v.r.Context()
	d := publicData{Overlay: overlay, Options: readOverlay(v.r), Live: "/ui/public/" + tokenInAddress(v.r) + "/live"}
	if overlay {
		d.Live += "?overlay=1&" + d.Options.encode()
	}
	of := &pagePrivacy{h: h, ctx: ctx, members: map[string]schemas.Privacy{}}
	var f schemas.Front
	err := h.ask(ctx, system, "fronters", map[string]string{"at": h.Now().UTC().Format(time.RFC3339Nano)}, &f)
	if err != nil && !errors.Is(err, errNotFound) {
		return d, err
	}
	f.System = system
	shown, open, err := schemas.PublicFront(f, of)
	if err != nil || !open {
		d.Sentence = say("This page does not show who is fronting.")
		return d, err
	}
	d.Open = true
	hidden := 0
	var names []string
	for _, m := range shown.Members {
		privacy, err := of.MemberPrivacy(system, m.UUID)
		if err != nil {
			return d, err
		}
		if !privacy.Open("visibility") {
			hidden++
			continue
		}
		p := v.view.person(publicMember(m))
		p.Link = ""
		if overlay && !d.Options.Pronouns {
			p.Pronouns = ""
		}
		d.People, names = append(d.People, p), append(names, p.Name)
	}
	d.Hidden = h.hiddenText(hidden, len(names), v.view.Words)
	if d.Hidden != "" {
		names = append(names, d.Hidden)
	}
	d.Sentence = frontSentence(f.Switch != "", names)
	return d, nil
}

// hiddenText stands for so many members that are hidden, beside so many that
// are not.
func (h *Handler) hiddenText(hidden, shown int, w words) string {
	switch {
	case hidden == 0:
		return ""
	case h.Private == PrivateNumber && shown > 0:
		return strconv.Itoa(hidden) + " more"
	case h.Private == PrivateNumber:
		return w.Count(hidden)
	case h.Private == PrivateSomeone:
		return "someone"
	}
	return ""
}

func publicMember(f schemas.Fronter) member {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return member{UUID: f.UUID, ID: text(f.ID), Name: text(f.Name), DisplayName: text(f.DisplayName),
		Pronouns: text(f.Pronouns), Color: text(f.Color), AvatarURL: text(f.AvatarURL)}
}

func readOverlay(r *http.Request) overlayOptions {
	q := r.URL.Query()
	o := overlayOptions{Size: q.Get("size"), Align: q.Get("align"), Names: q.Get("names") != "false" && q.Get("names") != "0",
		Pronouns: q.Get("pronouns") != "false" && q.Get("pronouns") != "0"}
	if !slices.Contains([]string{"s", "m", "l", "xl"}, o.Size) {
		o.Size = "m"
	}
	if !slices.Contains([]string{"left", "center", "right"}, o.Align) {
		o.Align = "left"
	}
	return o
}

func (o overlayOptions) encode() string {
	return "size=" + o.Size + "&align=" + o.Align + "&names=" + strconv.FormatBool(o.Names) + "&pronouns=" + strconv.FormatBool(o.Pronouns)
}

// pagePrivacy reads who may see what from the answers of the queries.
type pagePrivacy struct {
	h       *Handler
	ctx     context.Context
	members map[string]schemas.Privacy
}

// privacyOf is the part of a system or member that says who may see it.
type privacyOf struct {
	Created *string            `json:"created"`
	Privacy map[string]*string `json:"privacy"`
}

func (p privacyOf) known() schemas.Privacy {
	out := schemas.Privacy{Settings: map[string]string{}, Whole: p.Created != nil}
	for name, value := range p.Privacy {
		if value != nil {
			out.Settings[name] = *value
		}
	}
	return out
}

// SystemPrivacy implements schemas.PrivacyReader.
func (p *pagePrivacy) SystemPrivacy(system string) (schemas.Privacy, error) {
	var s privacyOf
	err := p.h.ask(p.ctx, system, "system", nil, &s)
	if errors.Is(err, errNotFound) {
		return schemas.Privacy{}, nil
	}
	return s.known(), err
}

// MemberPrivacy implements schemas.PrivacyReader.
func (p *pagePrivacy) MemberPrivacy(system, uuid string) (schemas.Privacy, error) {
	if known, ok := p.members[uuid]; ok {
		return known, nil
	}
	var m privacyOf
	err := p.h.ask(p.ctx, system, "member", map[string]string{"ref": uuid}, &m)
	if err != nil && !errors.Is(err, errNotFound) {
		return schemas.Privacy{}, err
	}
	p.members[uuid] = m.known()
	return p.members[uuid], nil
}
