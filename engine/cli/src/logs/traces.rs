//! Traces over OTLP: each run with its attempts, to the collector that the environment names.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Level;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{Filtered, Targets};
use tracing_subscriber::registry::LookupSpan;

/// What sends traces; when it goes, what waits to be sent is.
pub(super) struct Traces(SdkTracerProvider);

/// Takes our own spans out of everything that is logged: those of libraries would be far more.
type Sent<S> = Filtered<OpenTelemetryLayer<S, SdkTracer>, Targets, S>;

/// Begins to send. Where to, and how, is what the standard's environment variables say.
///
/// # Errors
/// What they say cannot be.
pub(super) fn begin<S>() -> Result<(Sent<S>, Traces), ExporterBuildError>
where
    S: tracing::Subscriber + for<'s> LookupSpan<'s>,
{
    let exporter = SpanExporter::builder().with_http().build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
    Ok((layer(&provider), Traces(provider)))
}

fn resource() -> Resource {
    let builder = Resource::builder();
    match std::env::var_os("OTEL_SERVICE_NAME") {
        Some(_) => builder.build(),
        None => builder.with_service_name("cosell").build(),
    }
}

fn layer<S>(provider: &SdkTracerProvider) -> Sent<S>
where
    S: tracing::Subscriber + for<'s> LookupSpan<'s>,
{
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("cosell")).with_location(false);
    layer.with_filter(Targets::new().with_target("cosell", Level::INFO))
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::{Arc, Mutex};

    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::SpanData;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::registry;

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct Collector(Arc<Mutex<Vec<SpanData>>>);

    impl opentelemetry_sdk::trace::SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    #[test]
    fn runs_are_traced_with_their_attempts_and_nothing_of_libraries() {
        let collector = Collector::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(collector.clone()).build();
        tracing::subscriber::with_default(registry().with(layer(&provider)), || {
            let run = tracing::info_span!(target: "cosell_runtime::running", "run", run = "r1");
            run.in_scope(|| {
                tracing::info_span!(target: "hyper", "connection").in_scope(|| {
                    drop(tracing::info_span!(target: "cosell_runtime::driving", "attempt", step = "update"));
                });
            });
        });
        provider.force_flush().unwrap();
        let spans = collector.0.lock().unwrap();
        let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
        assert_eq!(names, ["attempt", "run"]);
        assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
        let of = |span: &SpanData, name: &str| {
            span.attributes.iter().find(|pair| pair.key.as_str() == name).map(|pair| pair.value.to_string())
        };
        assert_eq!((of(&spans[0], "step"), of(&spans[1], "run")), (Some("update".to_owned()), Some("r1".to_owned())));
    }
}
