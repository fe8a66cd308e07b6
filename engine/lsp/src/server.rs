//! The conversation with an editor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cosell_compile::assist::{Cursor, outline};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument, DidOpenTextDocument, DidSaveTextDocument, Exit,
    Notification as _, PublishDiagnostics,
};
use lsp_types::request::{
    Completion, DocumentSymbolRequest, GotoDefinition, HoverRequest, PrepareRenameRequest, Rename, Request as _,
    Shutdown,
};
use lsp_types::{
    CompletionOptions, CompletionParams, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DocumentSymbolParams, GotoDefinitionParams, HoverParams, HoverProviderCapability,
    InitializeParams, OneOf, PublishDiagnosticsParams, RenameOptions, RenameParams, ServerCapabilities,
    TextDocumentPositionParams, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions, Uri,
    WorkDoneProgressOptions,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use crate::compiling::{Desk, Shown};
use crate::project::{Buffers, Project};
use crate::{answers, findings, positions};

/// Why the conversation ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The editor does not keep to the protocol, or went away.
    #[error("the editor: {0}")]
    Protocol(#[from] lsp_server::ProtocolError),
    /// Something that the editor said cannot be read.
    #[error("the editor: {0}")]
    Message(#[from] serde_json::Error),
    /// Standard input or output.
    #[error("standard input and output: {0}")]
    Io(#[from] std::io::Error),
}

/// How the conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The editor asked for it first.
    Asked,
    /// The editor did not; by the protocol, that is a failure.
    Abruptly,
}

/// Speaks with an editor over standard input and output until it says to end. `open` makes the project in the folder that the
/// editor has open.
///
/// # Errors
/// Whatever ends it before that.
pub fn serve(open: impl FnOnce(Option<PathBuf>) -> Arc<dyn Project>) -> Result<Ended, Trouble> {
    let (connection, threads) = Connection::stdio();
    let ended = converse(connection, open)?;
    threads.join()?;
    Ok(ended)
}

fn converse(connection: Connection, open: impl FnOnce(Option<PathBuf>) -> Arc<dyn Project>) -> Result<Ended, Trouble> {
    let (id, parameters) = connection.initialize_start()?;
    let parameters: InitializeParams = serde_json::from_value(parameters)?;
    let project = open(folder(&parameters));
    let about = json!({
        "capabilities": capabilities(),
        "serverInfo": { "name": "cosell", "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, about)?;

    let desk = Arc::new(Desk::default());
    let worker = {
        let (desk, project, sender) = (Arc::clone(&desk), Arc::clone(&project), connection.sender.clone());
        std::thread::spawn(move || {
            let mut shown = Shown::default();
            desk.work(&*project, |loaded| {
                for (path, diagnostics) in shown.changed(findings::by_file(loaded, &*project)) {
                    let uri = Url::from_file_path(path).ok().and_then(|url| findings::uri(&url));
                    let Some(uri) = uri else { continue };
                    let parameters = PublishDiagnosticsParams { uri, diagnostics, version: None };
                    // Nobody listens any more once the editor has gone.
                    let _ = sender.send(Notification::new(PublishDiagnostics::METHOD.to_owned(), parameters).into());
                }
            });
        })
    };
    let mut server = Server { project, desk: Arc::clone(&desk), open: BTreeMap::new() };
    desk.ask(Buffers::new());
    let ended = server.listen(&connection);
    desk.end();
    // Its only way to fail is a panic, which it has shown.
    let _ = worker.join();
    Ok(ended)
}

/// The folder that the editor has open.
#[expect(deprecated, reason = "editors that know nothing of workspace folders say it by `rootUri`")]
fn folder(parameters: &InitializeParams) -> Option<PathBuf> {
    let folders = parameters.workspace_folders.as_deref().unwrap_or_default();
    folders.first().map(|folder| &folder.uri).or(parameters.root_uri.as_ref()).and_then(path)
}

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::FULL),
            save: Some(true.into()),
            ..TextDocumentSyncOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some([".", "|", " "].map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        ..ServerCapabilities::default()
    }
}

struct Server {
    project: Arc<dyn Project>,
    desk: Arc<Desk>,
    open: Buffers,
}

impl Server {
    fn listen(&mut self, connection: &Connection) -> Ended {
        let mut ending = false;
        for message in &connection.receiver {
            match message {
                Message::Request(request) => {
                    let response = match request.method.as_str() {
                        _ if ending => {
                            let message = "nothing is answered after `shutdown`".to_owned();
                            Response::new_err(request.id, ErrorCode::InvalidRequest as i32, message)
                        }
                        Shutdown::METHOD => {
                            ending = true;
                            Response::new_ok(request.id, Value::Null)
                        }
                        _ => self.answer(request),
                    };
                    if connection.sender.send(response.into()).is_err() {
                        break;
                    }
                }
                Message::Notification(told) if told.method == Exit::METHOD => {
                    return if ending { Ended::Asked } else { Ended::Abruptly };
                }
                Message::Notification(_) if ending => {}
                Message::Notification(notification) => {
                    if self.take(notification) {
                        self.desk.ask(self.open.clone());
                    }
                }
                Message::Response(_) => {}
            }
        }
        Ended::Abruptly
    }

    /// Takes what the editor tells; whether anything is to be compiled anew.
    fn take(&mut self, notification: Notification) -> bool {
        let text = match notification.method.as_str() {
            DidOpenTextDocument::METHOD => read::<DidOpenTextDocumentParams>(notification.params)
                .map(|opened| (opened.text_document.uri, Some(opened.text_document.text))),
            DidChangeTextDocument::METHOD => read::<DidChangeTextDocumentParams>(notification.params)
                .and_then(|mut changed| Some((changed.text_document.uri, Some(changed.content_changes.pop()?.text)))),
            DidCloseTextDocument::METHOD => {
                read::<DidCloseTextDocumentParams>(notification.params).map(|closed| (closed.text_document.uri, None))
            }
            DidSaveTextDocument::METHOD | DidChangeWatchedFiles::METHOD => return true,
            _ => None,
        };
        let Some((path, text)) = text.and_then(|(uri, text)| Some((path(&uri)?, text))) else { return false };
        match text {
            Some(text) => self.open.insert(path, text),
            None => self.open.remove(&path),
        };
        true
    }

    fn answer(&self, request: Request) -> Response {
        let answered = match request.method.as_str() {
            Completion::METHOD => read::<CompletionParams>(request.params).map(|asked| {
                self.at(&asked.text_document_position, |cursor, text, _| json!(answers::completions(cursor, text)))
            }),
            HoverRequest::METHOD => read::<HoverParams>(request.params).map(|asked| {
                self.at(&asked.text_document_position_params, |cursor, text, _| json!(answers::hover(cursor, text)))
            }),
            GotoDefinition::METHOD => read::<GotoDefinitionParams>(request.params).map(|asked| {
                self.at(&asked.text_document_position_params, |cursor, _, loaded| {
                    let place = cursor.definition();
                    json!(
                        place
                            .and_then(|span| { findings::location(span, &loaded.compilation.sources, &*self.project) })
                    )
                })
            }),
            PrepareRenameRequest::METHOD => read::<TextDocumentPositionParams>(request.params).map(|asked| {
                self.at(&asked, |cursor, text, _| json!(cursor.renameable().map(|place| positions::range(text, place))))
            }),
            Rename::METHOD => {
                let Some(asked) = read::<RenameParams>(request.params) else { return unreadable(request.id) };
                let at = &asked.text_document_position;
                let mut refused = None;
                let edits = self.at(at, |cursor, text, _| {
                    let made = answers::renaming(cursor, text, &at.text_document.uri, &asked.new_name);
                    made.unwrap_or_else(|why| {
                        refused = Some(why);
                        Value::Null
                    })
                });
                if let Some(why) = refused {
                    return Response::new_err(request.id, ErrorCode::RequestFailed as i32, why);
                }
                Some(edits)
            }
            DocumentSymbolRequest::METHOD => read::<DocumentSymbolParams>(request.params).map(|asked| {
                let text = path(&asked.text_document.uri).and_then(|path| self.open.get(&path));
                json!(text.map(|text| answers::outline(&outline(text), text)))
            }),
            other => {
                let message = format!("cosell does not answer `{other}`");
                return Response::new_err(request.id, ErrorCode::MethodNotFound as i32, message);
            }
        };
        match answered {
            Some(value) => Response::new_ok(request.id, value),
            None => unreadable(request.id),
        }
    }

    /// What `answer` makes of a cursor in an open file; null of one that is not open.
    fn at(
        &self,
        asked: &TextDocumentPositionParams,
        answer: impl FnOnce(&Cursor<'_>, &str, &crate::project::Loaded) -> Value,
    ) -> Value {
        let Some(path) = path(&asked.text_document.uri) else { return Value::Null };
        let Some(text) = self.open.get(&path) else { return Value::Null };
        let Some(loaded) = self.desk.of(&path) else { return Value::Null };
        let offset = positions::offset(text, asked.position);
        let configuration = self.project.is_configuration(&path);
        let about = (self.project.catalogue(), &*loaded.metadata);
        let cursor = Cursor::new(&loaded.compilation, about, text, offset, configuration);
        answer(&cursor, text, &loaded)
    }
}

fn unreadable(id: RequestId) -> Response {
    Response::new_err(id, ErrorCode::InvalidParams as i32, "what is asked cannot be read".to_owned())
}

fn read<T: DeserializeOwned>(parameters: Value) -> Option<T> {
    serde_json::from_value(parameters).ok()
}

fn path(uri: &Uri) -> Option<PathBuf> {
    let path = Url::parse(uri.as_str()).ok()?.to_file_path().ok()?;
    // Without `.` and doubled separators, as the paths of files are that were found on the disk.
    Some(Path::new(&path).components().collect())
}
