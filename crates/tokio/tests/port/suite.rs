pub(crate) use tenure_tokio as port;
