"""MSAL for Python, unmodified, signs in to the sandbox in every way the connectors do.

Reads the line that `cosell sandbox --json` prints from standard input; exits with 0 when everything worked. The
certificate authority comes from REQUESTS_CA_BUNDLE.
"""

import base64
import json
import sys
import urllib.parse
import urllib.request

import msal
import requests

PARTNER_CENTER = "https://api.partner.microsoft.com/.default"

addresses = json.load(sys.stdin)
authority = f"{addresses['entra']}/{addresses['tenant']}"
dataverse = f"{addresses['dataverse']}/.default"
# The authority is none of Microsoft's, which is what `instance_discovery=False` is documented for.
common = {"authority": authority, "instance_discovery": False}


def token(result):
    """The access token of a result, or an end to the test that says why there is none."""
    assert "access_token" in result, result
    return result["access_token"]


def claims(jwt):
    payload = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def call(url, access_token):
    """The sandbox itself takes the token."""
    response = requests.get(url, headers={"Authorization": f"Bearer {access_token}"}, timeout=30)
    assert response.status_code == 200, response.text
    return response.json()


who_am_i = f"{addresses['dataverse']}/api/data/v9.2/WhoAmI"
referrals = f"{addresses['partner_center']}/referrals"

# An application with its secret; the second time the answer comes from the library's cache.
app = msal.ConfidentialClientApplication(
    addresses["client_id"], client_credential=addresses["client_secret"], **common
)
first = app.acquire_token_for_client([dataverse])
call(who_am_i, token(first))
second = app.acquire_token_for_client([dataverse])
assert second["token_source"] == "cache", second

wrong = msal.ConfidentialClientApplication(addresses["client_id"], client_credential="wrong", **common)
refused = wrong.acquire_token_for_client([dataverse])
assert refused["error"] == "invalid_client" and refused["error_codes"] == [7000215], refused

# The same application with a certificate, under the thumbprint of either age.
request = urllib.request.Request(f"{addresses['control']}/entra/certificates", data=b"{}", method="POST")
made = json.load(urllib.request.urlopen(request))
for credential in (
    {"private_key": made["private_key_pem"], "thumbprint": made["thumbprint"]},
    {"private_key": made["private_key_pem"], "public_certificate": made["certificate_pem"]},
):
    signed = msal.ConfidentialClientApplication(addresses["client_id"], client_credential=credential, **common)
    call(who_am_i, token(signed.acquire_token_for_client([dataverse])))

# A person on another device, and then silently: by the cache, and by the refresh token.
person = msal.PublicClientApplication(addresses["client_id"], **common)
flow = person.initiate_device_flow([PARTNER_CENTER])
assert "user_code" in flow, flow
signed_in = person.acquire_token_by_device_flow(flow)
assert "mfa" in claims(token(signed_in))["amr"]
assert signed_in["id_token_claims"]["preferred_username"] == "cosell@fabrikam.example", signed_in
call(referrals, token(signed_in))
(account,) = person.get_accounts()
cached = person.acquire_token_silent([PARTNER_CENTER], account)
assert cached["access_token"] == signed_in["access_token"]
refreshed = person.acquire_token_silent([PARTNER_CENTER], account, force_refresh=True)
assert token(refreshed) != signed_in["access_token"]
call(referrals, token(refreshed))
# One sign-in serves every audience.
call(who_am_i, token(person.acquire_token_silent([dataverse], account)))

# The refresh token that the sandbox hands out, as the application would keep it in a vault.
migrated = app.acquire_token_by_refresh_token(addresses["refresh_token"], [PARTNER_CENTER])
call(referrals, token(migrated))

# A person in a browser, with a proof key.
redirect = "http://localhost:8400/callback"
flow = app.initiate_auth_code_flow([PARTNER_CENTER], redirect_uri=redirect)
answer = requests.get(flow["auth_uri"], allow_redirects=False, timeout=30)
assert answer.status_code == 302, answer.text
query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["Location"]).query))
call(referrals, token(app.acquire_token_by_auth_code_flow(flow, query)))

# A library that knows nothing but the issuer finds its way.
oidc = msal.ConfidentialClientApplication(
    addresses["client_id"],
    client_credential=addresses["client_secret"],
    oidc_authority=f"{authority}/v2.0",
)
call(who_am_i, token(oidc.acquire_token_for_client([dataverse])))

print("MSAL for Python", msal.__version__, "is served")
