// Progressive help for the first page: the form works without it.
const form = document.getElementById('sign-in');
const portalField = document.getElementById('portal-field');
const hybrid = document.getElementById('flow-hybrid');
const oauth2 = document.getElementById('flow-oauth2');

/** VOW needs a portal and has no hybrid flow. */
function follow() {
  const vow = new FormData(form).get('role') === 'vow';
  portalField.hidden = !vow;
  hybrid.disabled = vow;
  if (vow) oauth2.checked = true;
}

form.addEventListener('change', follow);
window.addEventListener('pageshow', follow); // Back restores the choices without a change event
follow();

// A host's policy may say form-action 'self' (helmet's does), and browsers then block the redirect to Spark that answers
// the form. Going to the same address by a navigation is not a form's action.
form.addEventListener('submit', (event) => {
  event.preventDefault();
  const address = new URL(form.action);
  address.search = new URLSearchParams(new FormData(form)).toString();
  window.location.assign(address);
});
