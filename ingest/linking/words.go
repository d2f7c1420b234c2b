package linking

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Advice is one thing that is wrong or right, and what to do next.
type Advice struct {
	Word string `json:"word,omitempty"` // PluralKit's own for it; empty: it has none
	Says string `json:"says"`           // what happened
	Do   string `json:"do,omitempty"`   // what to do; empty: nothing
	OK   bool   `json:"ok"`
}

// String is the advice in one line.
func (a Advice) String() string {
	if a.Do == "" {
		return a.Says
	}
	return a.Says + " (hint: " + a.Do + ")"
}

// again ends the advice for whatever made a registration fail: the token that the
// bot showed for it is good for nothing.
const again = "then type pk;system webhook URL again: the bot shows a new token, and the one before is worthless"

// PluralKit's words for how a registration went, in its own order of checks.
const (
	wordOK            = "OK"
	wordBadData       = "BadData"
	wordResolveFailed = "ResolveFailed"
	wordNoIPs         = "NoIPs"
	wordInvalidIP     = "InvalidIP"
	wordFetchFailed   = "FetchFailed"
	wordTestFailed    = "TestFailed"
	wordResponseCode  = "InvalidResponseCode"
)

// meanings are the advice for each word that stands alone.
var meanings = map[string]Advice{
	wordOK: {Says: "PluralKit is linked: every change is sent here from now on", OK: true},
	wordBadData: {
		Says: "PluralKit cannot read the address as an https URL",
		Do:   "it begins with https://, has no blank and no < > around it, and a name with letters that are not ASCII is written as xn--…; " + again,
	},
	wordResolveFailed: {
		Says: "PluralKit got no answer from the name server of the address within 3 seconds",
		Do:   "look at the name: letters, digits and - only. If it is right, wait a minute, " + again,
	},
	wordNoIPs: {
		Says: "the name of the address has no IPv4 address",
		Do:   "add an A record at your name's provider: an AAAA record (IPv6) alone is not enough, and neither is a bare IP address in place of a name; " + again,
	},
	wordInvalidIP: {
		Says: "the name of the address points to an IPv4 address that cannot be reached from the internet",
		Do: "let every A record of the name be the public address: not 10.…, 192.168.…, 172.16–31.…, 127.… and not 100.64–127.… (a provider without an IPv4 " +
			"address of your own, or Tailscale without Funnel); " + again,
	},
	wordFetchFailed: {
		Says: "PluralKit found the machine and got no answer from it: nothing listens there, a firewall drops it, the certificate is not trusted or is for another name, or it took longer than 10 seconds",
		Do:   "switchlog doctor tries the address and says which; " + again,
	},
	wordTestFailed: {
		Says: "the PING with the right token was answered 200, but that with a wrong one not 401: something other than switchlog answers there, or a proxy turns errors into 200",
		Do:   "let the proxy pass on status codes as they are, and give PluralKit the address that switchlog shows; " + again,
	},
}

// sentences are parts of what the bot writes, with the word each stands for. An
// earlier one wins.
var sentences = []struct{ part, word string }{
	{"successfully the new webhook url", wordOK},
	{"successfully set the new webhook url", wordOK},
	{"could not find any valid ip addresses", "NoIPs or InvalidIP"},
	{"the webhook url is invalid", wordBadData},
	{"unable to reach server", wordFetchFailed},
	{"failed to validate the signing token", wordTestFailed},
	{"is invalid or i cannot access it", "the bot's first look"},
	{"does not currently support setting a discord webhook", "a Discord webhook"},
	{"must be run in a dm", "not in a DM"},
}

// spoken are the advice for what the bot says and has no word for.
var spoken = map[string]Advice{
	"NoIPs or InvalidIP": {
		Says: "the name of the address has no IPv4 address, or one that cannot be reached from the internet",
		Do:   "switchlog doctor says which of the two. " + meanings[wordNoIPs].Do,
	},
	"the bot's first look": {
		Says: "the bot cannot use the address: it is no https URL, its name is not found, or it has no public IPv4 address",
		Do:   "paste it alone, without < > and blanks; if it is right, switchlog doctor says what is wrong with it. No token was made yet",
	},
	"a Discord webhook": {
		Says: "that is the address of a Discord webhook, which PluralKit refuses",
		Do:   "give the bot switchlog's own address. To pass changes on to Discord: switchlog webhook add discord",
	},
	"not in a DM": {
		Says: "the command was typed in a server",
		Do:   "type it in a direct message to the PluralKit bot: the token is shown where you type",
	},
}

var responseCode = regexp.MustCompile(`(?i)InvalidResponseCode\((\d{3})\)`)

// Said translates what PluralKit's bot wrote, or one of its words. Not ok: it is
// nothing that is known.
func Said(text string) (advice Advice, ok bool) {
	if m := responseCode.FindStringSubmatch(text); m != nil {
		status, _ := strconv.Atoi(m[1]) // three digits
		return ResponseCode(status, ""), true
	}
	text = strings.TrimSpace(text)
	low := strings.ToLower(text)
	for _, s := range sentences {
		if strings.Contains(low, s.part) {
			return meaning(s.word), true
		}
	}
	for word := range meanings {
		if word == wordOK && text != wordOK {
			continue
		}
		if strings.Contains(low, strings.ToLower(word)) {
			return meaning(word), true
		}
	}
	return Advice{}, false
}

func meaning(word string) Advice {
	if a, ok := spoken[word]; ok {
		return a
	}
	a := meanings[word]
	a.Word = word
	return a
}

// ResponseCode says what it means that a PING with the right token was answered
// with this status instead of 200. location is where a redirect leads, if known.
func ResponseCode(status int, location string) Advice {
	a := codeAdvice(status, location)
	a.Word = fmt.Sprintf("%s(%d)", wordResponseCode, status)
	a.Do += "; " + again
	return a
}

func codeAdvice(status int, location string) Advice {
	switch {
	case status == 204 || status > 200 && status < 300:
		return Advice{
			Says: fmt.Sprintf("something on the way answered %d; PluralKit wants 200, which is what switchlog answers", status),
			Do:   "let the proxy pass on the status as it is",
		}
	case status == 302 || status == 303:
		return Advice{
			Says: fmt.Sprintf("the address answers %d and sends the caller elsewhere%s, as a login page or a check for bots does", status, to(location)),
			Do:   "switch that off for /in/pluralkit",
		}
	case status >= 300 && status < 400:
		return Advice{
			Says: fmt.Sprintf("the address answers %d and redirects%s, and PluralKit does not follow", status, to(location)),
			Do:   "give the bot the address it redirects to: mind https, www. and a slash at the end",
		}
	case status == 401:
		return Advice{
			Says: "switchlog did not know the token: Continue was pressed too early, or another token was given than the newest one",
			Do:   "give switchlog the token before you press Continue: switchlog link pluralkit",
		}
	case status == 403:
		return Advice{
			Says: "something on the way forbids it (403), as a check for bots or a firewall of a proxy does",
			Do:   "let everybody post to /in/pluralkit: switchlog itself checks the token",
		}
	case status == 404 || status == 410:
		return Advice{
			Says: fmt.Sprintf("there is nothing at the address (%d): its path is not /in/pluralkit, or the proxy passes to another program", status),
			Do:   "use the address that switchlog shows, and let the proxy pass this path on unchanged",
		}
	case status == 405:
		return Advice{Says: "the method was not POST when it arrived (405): a proxy or a redirect on the way turned it into GET", Do: "let the proxy pass on POST to /in/pluralkit"}
	case status == 400 || status == 411 || status == 413 || status == 415:
		return Advice{
			Says: fmt.Sprintf("the request did not arrive as it was sent (%d): something on the way changes or refuses the body", status),
			Do:   "let the proxy pass on bodies unchanged, of up to 256 KiB",
		}
	case status == 429:
		return Advice{Says: "something on the way limits how many requests there may be (429)", Do: "let it pass on all to /in/pluralkit"}
	case status == 503:
		return Advice{
			Says: "the address is there, and answers that it cannot serve (503): a check for bots, a proxy that does not reach switchlog, or a switchlog that cannot write to its disk",
			Do:   "look at switchlog status; if that is ready, at the proxy",
		}
	case status == 502 || status == 504 || status >= 520 && status <= 530:
		return Advice{
			Says: fmt.Sprintf("the proxy or tunnel in front is there, and does not reach switchlog behind it (%d)", status),
			Do:   "look whether switchlog and the tunnel run, and whether the tunnel leads to switchlog's public listener",
		}
	case status >= 500:
		return Advice{Says: fmt.Sprintf("something on the way is broken and answers %d", status), Do: "look at what the proxy logs"}
	}
	return Advice{Says: fmt.Sprintf("something on the way answers %d", status), Do: "look at what stands between the internet and switchlog"}
}

func to(location string) string {
	if location == "" {
		return ""
	}
	return " to " + location
}
