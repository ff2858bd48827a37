(() => {
  'use strict';
  const all = (selector) => [...document.querySelectorAll(selector)];
  const tools = document.querySelector('.tools');
  const found = all('.f');
  const folded = all('details');
  if (!tools) return;
  const query = document.getElementById('q');
  const boxes = all('[name=sev]');
  const said = document.getElementById('shown');
  const button = document.getElementById('all');
  const texts = found.map((one) => one.textContent.toLowerCase());
  tools.hidden = false;

  const shown = () => found.filter((one) => !one.hidden);
  const label = () => { button.textContent = shown().some((one) => !one.open) ? 'Open all' : 'Close all'; };
  const filter = () => {
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const words = query.value.toLowerCase().split(/\s+/);
    found.forEach((one, at) => {
      one.hidden = !wanted.has(one.dataset.s) || !words.every((word) => texts[at].includes(word));
    });
    said.value = `${shown().length} of ${found.length} shown`;
    label();
  };
  const state = () => {
    const off = boxes.filter((box) => !box.checked).map((box) => box.value);
    const parts = [];
    if (query.value) parts.push(`q=${encodeURIComponent(query.value)}`);
    if (off.length) parts.push(`hide=${off.join(',')}`);
    history.replaceState(null, '', parts.length ? `#${parts.join('&')}` : '#findings');
  };
  const arrive = () => {
    const hash = location.hash.slice(1);
    if (/^(q|hide)=/.test(hash)) {
      const given = new URLSearchParams(hash);
      const off = (given.get('hide') || '').split(',');
      query.value = given.get('q') || '';
      boxes.forEach((box) => { box.checked = !off.includes(box.value); });
      filter();
      return;
    }
    const target = hash && document.getElementById(hash);
    if (target && target.matches('.f')) {
      target.hidden = false;
      target.open = true;
      target.querySelector('summary').focus({ preventScroll: true });
      target.scrollIntoView();
    }
  };

  tools.addEventListener('input', () => { filter(); state(); });
  button.addEventListener('click', () => {
    const open = shown().some((one) => !one.open);
    shown().forEach((one) => { one.open = open; });
    label();
  });
  addEventListener('hashchange', arrive);
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches('input')) {
      if (event.key === 'Escape') { query.value = ''; filter(); state(); query.blur(); }
      return;
    }
    const rows = shown();
    const at = rows.indexOf(document.activeElement.closest('.f'));
    const go = (to) => { if (rows[to]) rows[to].querySelector('summary').focus(); };
    if (event.key === 'j') go(at + 1);
    else if (event.key === 'k') go(Math.max(at - 1, 0));
    else if (event.key === '/') { event.preventDefault(); query.focus(); query.select(); }
  });
  let before = null;
  addEventListener('beforeprint', () => { before = folded.map((one) => one.open); folded.forEach((one) => { one.open = true; }); });
  addEventListener('afterprint', () => { if (before) folded.forEach((one, at) => { one.open = before[at]; }); });
  filter();
  // A browser goes to the address of a link when all is loaded, and takes the focus along.
  addEventListener('load', () => setTimeout(arrive));
})();
