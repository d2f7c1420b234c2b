// What pages do beyond htmx. They read, and their links work, without it.
"use strict";

// The person's time zone, so that the server shows times in it. The first page
// is asked for again, once.
(() => {
	const guessed = document.body.dataset.zone;
	const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
	if (!guessed || !zone || document.cookie.includes("switchlog_zone=")) return;
	document.cookie = "switchlog_zone=" + encodeURIComponent(zone) + "; path=/; max-age=31536000; samesite=strict";
	if (zone !== guessed && document.cookie.includes("switchlog_zone=") && !document.querySelector("input:focus")) location.reload();
})();

// How long something has lasted goes on by itself. No reader of screens says it:
// it stands outside of the live region.
const span = (seconds) => {
	const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
	if (minutes < 1) return "less than a minute";
	if (days > 0) return days < 7 && hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
	if (hours > 0) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
	return `${minutes} min`;
};
const tick = () => {
	for (const e of document.querySelectorAll("[data-since]")) {
		const text = span((Date.now() - Date.parse(e.dataset.since)) / 1000);
		if (e.textContent !== text) e.textContent = text;
	}
};
setInterval(tick, 10000);

// A lost connection is said, and that it is there again.
const lost = document.getElementById("lost");
const say = (text) => { if (lost && lost.textContent !== text) lost.textContent = text; };
document.addEventListener("htmx:sse:error", () => say(lost.dataset.text));
document.addEventListener("htmx:sse:after:connection", () => say(""));
document.addEventListener("htmx:sse:after:message", () => say(""));

// Copying works on plain http, too, where browsers have no clipboard for pages.
document.addEventListener("click", async (event) => {
	const button = event.target.closest("[data-copy]");
	if (!button) return;
	const field = document.getElementById(button.dataset.copy);
	let done = false;
	if (navigator.clipboard) done = await navigator.clipboard.writeText(field.value).then(() => true, () => false);
	if (!done) {
		field.select();
		done = document.execCommand("copy");
	}
	document.getElementById(button.dataset.copy + "-copied").textContent = done ? "Copied." : "Press Ctrl+C to copy.";
});
