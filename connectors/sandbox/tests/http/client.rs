//! A sandbox with somebody signed in.

use cosell_sandbox::{Addresses, Options, Sandbox};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

pub(crate) const PARTNER_CENTER: &str = "https://api.partner.microsoft.com";
pub(crate) const EVENTS: &str = "https://api.partnercenter.microsoft.com";

pub(crate) struct Client {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

impl Client {
    /// Starts a sandbox and signs the integration user in to the Referrals API.
    pub(crate) async fn start() -> Client {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        let mut client = Client { sandbox, http: reqwest::Client::new(), token: String::new() };
        client.token = client.user_token(PARTNER_CENTER).await;
        client
    }

    pub(crate) fn addresses(&self) -> &Addresses {
        self.sandbox.addresses()
    }

    pub(crate) async fn token_request(&self, fields: &[(&str, &str)]) -> Response {
        let addresses = self.addresses();
        let mut form =
            vec![("client_id", addresses.client_id.as_str()), ("client_secret", addresses.client_secret.as_str())];
        form.extend_from_slice(fields);
        let url = format!("{}/{}/oauth2/token", addresses.entra, addresses.tenant);
        self.http.post(url).form(&form).send().await.unwrap()
    }

    pub(crate) async fn user_token(&self, resource: &str) -> String {
        let refresh_token = self.addresses().refresh_token.clone();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token), ("resource", resource)];
        access_token(self.token_request(&fields).await).await
    }

    pub(crate) async fn app_token(&self, resource: &str) -> String {
        let fields = [("grant_type", "client_credentials"), ("resource", resource)];
        access_token(self.token_request(&fields).await).await
    }

    /// A request to the Referrals API.
    pub(crate) fn referrals(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/referrals{path}", self.addresses().partner_center))
            .bearer_auth(&self.token)
    }

    pub(crate) async fn create(&self, body: &Value) -> Value {
        let response = self.referrals(Method::POST, "").json(body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    pub(crate) async fn patch(&self, id: &str, operations: Value) -> Response {
        self.referrals(Method::PATCH, &format!("/{id}")).json(&operations).send().await.unwrap()
    }

    /// A call of the control API that must succeed.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.addresses().control);
        let response = self.http.request(method, url).json(&body).send().await.unwrap();
        let status = response.status();
        let body: Value = response.json().await.unwrap();
        assert_eq!(status, 200, "{body}");
        body
    }
}

async fn access_token(response: Response) -> String {
    let body: Value = response.json().await.unwrap();
    body["access_token"].as_str().unwrap_or_else(|| panic!("no token: {body}")).to_owned()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// A deal that nobody else sees.
pub(crate) fn private() -> Value {
    json!({
        "name": "Northwind warehouse rollout", "qualification": "SalesQualified", "type": "Independent",
        "customerProfile": { "name": "Northwind Cold Storage BV", "address": { "country": "NL" } },
        "consent": { "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
        "details": { "dealValue": 84000, "currency": "EUR", "closingDateTime": "2027-01-29T00:00:00Z" },
    })
}

/// A deal that Microsoft is asked to help with.
pub(crate) fn shared() -> Value {
    let mut deal = private();
    deal["type"] = json!("Shared");
    deal["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(true);
    deal["customerProfile"]["team"] = json!([{ "firstName": "Iris", "lastName": "de Wit", "phoneNumber": "+3110", "email": "iris@northwind.example" }]);
    deal["details"]["requirements"] = json!({
        "solutions": [{ "id": "SOL-48120-KQP", "name": "ColdTrack", "type": "Name" }],
        "additionalRequirements": { "attributes": [{ "type": "CustomerMarketplaceIntent", "id": "HaveNotDecided" }] },
    });
    deal["inviteContext"] = json!({ "assistanceRequestCode": "QuotesOrLicensing" });
    deal
}

/// Microsoft's side of the engagement of `own`.
pub(crate) fn invitation(own: &Value) -> Value {
    let mut deal = shared();
    deal["engagementId"] = own["engagementId"].clone();
    deal["target"] = json!([{ "type": "BusinessProfileLocation", "id": "msft" }]);
    deal
}
