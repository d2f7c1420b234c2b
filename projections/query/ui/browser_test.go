package ui

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// within bounds what a browser is waited for.
const within = 30 * time.Second

// theBrowser is one Chromium for all tests, started when the first needs it.
var (
	theBrowser   = sync.OnceValues(startBrowser)
	closeBrowser = func() {}
)

func startBrowser() (context.Context, error) {
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP lan.test 127.0.0.1"))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, end := chromedp.NewContext(alloc)
	closeBrowser = func() { end(); stop() }
	return ctx, chromedp.Do(ctx)
}

func TestMain(m *testing.M) {
	code := m.Run()
	closeBrowser()
	os.Exit(code)
}

// tab is a tab of the browser, and what it did.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex // guards what follows
	asked    []string   // addresses
	problems []string   // exceptions, and what the page's policy refused
}

// newTab opens a tab with cookies of its own. At the end of the test it wants that
// nothing went wrong in it, and that it asked no other machine.
func newTab(t testing.TB, b *bench) *tab {
	t.Helper()
	browser, err := theBrowser()
	if err != nil {
		t.Fatalf("chromium: %v (hint: make needs)", err)
	}
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	p := &tab{t: t, ctx: ctx}
	chromedp.Listen(ctx, p.heard)
	t.Cleanup(func() {
		end()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, problem := range p.problems {
			t.Errorf("the page has a problem: %s", problem)
		}
		for _, url := range p.asked {
			if !strings.HasPrefix(url, b.url+"/") && !strings.HasPrefix(url, "http://lan.test:") && url != "about:blank" {
				t.Errorf("the page asks another machine: %s", url)
			}
		}
	})
	return p
}

func (p *tab) heard(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		p.asked = append(p.asked, e.Request.URL)
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, e.ExceptionDetails.Text+" "+e.ExceptionDetails.URL)
	case *log.EventEntryAdded:
		if e.Entry.Source == "security" || e.Entry.Source == "javascript" || strings.Contains(e.Entry.Text, "Content Security Policy") {
			p.problems = append(p.problems, e.Entry.Text)
		}
	}
}

// do runs actions that have no value.
func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *tab) visit(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
}

// eval gives the value of an expression in the page.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until an expression in the page is true. It is asked again after
// each change of the page, and every 100 ms.
func (p *tab) await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, within)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// While the page changes there may be nobody to ask.
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.location + '\\n' + document.documentElement.outerHTML"))
			p.t.Fatalf("%s did not become true: %v\n%s", expression, err, text)
		}
	}
}

// signIn signs in as a person does.
func (p *tab) signIn(b *bench, token string) {
	p.t.Helper()
	p.visit(b.url + "/ui/sign-in")
	p.do(chromedp.SendKeys(chromedp.CSS("#token"), token), chromedp.Click(chromedp.CSS("form button")))
	p.await(`!location.pathname.startsWith("/ui/sign-in") && document.readyState == "complete" && document.querySelector("h1") != null`)
}

// TestFrontIsLive: the page shows a new front without a reload, after a
// lost connection too, and ends when the reader is revoked.
func TestFrontIsLive(t *testing.T) {
	b := newBench(t, Config{Heartbeat: time.Hour})
	p := newTab(t, b)
	p.signIn(b, annaToken)
	p.await(`document.querySelector("#front-sentence").textContent == "Alder and Birch are fronting."`)
	eval[bool](p, `window.mark = document.querySelector("#front-sentence"), true`)
	b.change(systemOne, func(s *fakeSystem) {
		s.switches = append(s.switches, fakeSwitch{noon.Add(-time.Minute), []int{2}})
	})
	p.await(`document.querySelector("#front-sentence").textContent == "Cedar is fronting."`)
	if !eval[bool](p, `window.mark === document.querySelector("#front-sentence")`) {
		t.Error("the live region was replaced: readers of screens would say nothing")
	}
	b.revoke(annaToken)
	b.h.ReadersChanged()
	p.await(`document.querySelector("#front").textContent.includes("You are signed out")`)
}
