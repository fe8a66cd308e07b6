// Makes open pages livelier; every page works without it.
'use strict';

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const usual = new Intl.DateTimeFormat(undefined, {
  year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit',
});

// Times come in UTC, and are shown in the reader's zone.
function localise(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.valueOf())) {
      time.textContent = usual.format(at);
      time.title = exact.format(at);
    }
  }
}

// What live parts a page has.
const parts = (page) => [...page.querySelectorAll('[data-live]')];

// Notes how live parts came, to see later whether they have changed.
function remember() {
  for (const part of parts(document)) part.dataset.shown = part.innerHTML;
}

// What the keyboard reaches.
const stops = (part) => [...part.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')];

// What stands now where the reader was: the same, or else what is in its place.
function stop(part, before, at) {
  const now = stops(part);
  const same = (stop) => stop?.outerHTML === before.outerHTML;
  return same(now[at]) ? now[at] : now.find(same) ?? now[at];
}

// Exchanges what has changed, and leaves open and chosen what a reader has unfolded and chosen.
function exchange(from) {
  const names = (page) => parts(page).map((part) => part.id).join();
  if (names(from) !== names(document)) {
    // It has become another page, such as that of a run which waited and has begun.
    const now = from.querySelector('main');
    localise(now);
    document.querySelector('main').replaceChildren(...now.childNodes);
    remember();
    return;
  }
  for (const part of parts(document)) {
    const news = from.getElementById(part.id);
    if (!news) continue;
    localise(news);
    if (news.innerHTML === part.dataset.shown) continue;
    const shown = news.innerHTML;
    for (const open of part.querySelectorAll('details[open][id]')) {
      news.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute('open', '');
    }
    for (const shut of part.querySelectorAll('details:not([open])[id]')) {
      news.querySelector(`#${CSS.escape(shut.id)}`)?.removeAttribute('open');
    }
    for (const chosen of part.querySelectorAll('input:checked[id]')) {
      news.querySelector(`#${CSS.escape(chosen.id)}`)?.setAttribute('checked', '');
    }
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const at = stops(part).indexOf(focused);
    const drawings = () => [...part.querySelectorAll('.drawing')];
    const places = drawings().map((drawing) => [drawing.scrollLeft, drawing.scrollTop]);
    part.replaceChildren(...news.childNodes);
    part.dataset.shown = shown;
    drawings().forEach((drawing, at) => drawing.scrollTo(...(places[at] ?? [0, 0])));
    if (focused) stop(part, focused, at)?.focus({ preventScroll: true });
  }
}

// Asks for the page once more, at most about twice a second, while there is news.
function listen(main) {
  const source = new EventSource(main.dataset.news);
  let asked = false;
  const refresh = async () => {
    asked = false;
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } }).catch(() => null);
    if (answer?.ok && !answer.redirected) {
      exchange(new DOMParser().parseFromString(await answer.text(), 'text/html'));
    }
  };
  const news = () => {
    if (asked) return;
    asked = true;
    setTimeout(refresh, 400);
  };
  source.addEventListener('happened', (event) => {
    news();
    const told = JSON.parse(event.data);
    if (main.dataset.until === told.run && told.event === 'run_ended') source.close();
  });
  source.addEventListener('run', news);
  // Between the making of the page and now something may have happened, too.
  source.addEventListener('open', news);
  addEventListener('pagehide', () => source.close());
}

// Pictures are wider than pages: shows what failed, or else where the flow begins.
function aim(drawing) {
  const node = drawing.querySelector('.node.failed:not(.holder), .node.timed_out:not(.holder)') ?? drawing.querySelector('.node');
  if (!node) return;
  const [inner, outer] = [node.getBoundingClientRect(), drawing.getBoundingClientRect()];
  drawing.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
  if (inner.bottom > outer.bottom) drawing.scrollTop += inner.top - outer.top - outer.height / 3;
}

localise(document);
for (const drawing of document.querySelectorAll('.drawing')) {
  aim(drawing);
  drawing.closest('details')?.addEventListener('toggle', () => aim(drawing), { once: true });
}
remember();
const main = document.querySelector('main[data-news]');
if (main) listen(main);

// `/` goes to the search field, as it does elsewhere.
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('input, textarea, select, [contenteditable]')) return;
  const search = document.querySelector('input[type=search]');
  if (search) {
    event.preventDefault();
    search.focus();
  }
});
