//! What the connector can do, one file each: [`ListEvents`], [`ViewRegistration`], [`Register`]
//! (for the first time, or to change the registration), [`RequestValidationEvent`].

mod list_events;
mod register;
mod request_validation_event;
mod view_registration;

pub use list_events::{Events, ListEvents, ListEventsInput};
pub use register::{Register, RegisterInput, Registered};
pub use request_validation_event::{Attempt, RequestValidationEvent, RequestValidationEventInput, Validation};
pub use view_registration::{RegistrationView, ViewRegistration, ViewRegistrationInput};
