//! What the guide tells is so: its figures are the code's, and its table for those who come from `esp_http_server` is complete.

use tenure::{Deadlines, Limits};

const BOUNDS: &str = include_str!("../src/guide/bounds.md");
const FROM_ESP: &str = include_str!("../src/guide/from_esp_http_server.md");

/// The rows of all tables of a chapter, their cells without blanks around them.
fn rows(chapter: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = chapter.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(str::trim).collect())
}

/// The bound of that name as it is told for hosts and for boards.
fn told(name: &str) -> [u64; 2] {
    let mut found = rows(BOUNDS).filter(|row| row[0] == format!("`{name}`"));
    let row = found.next().unwrap_or_else(|| panic!("{name} has no row"));
    assert_eq!(found.next(), None, "{name} has two rows");
    [row[1], row[2]].map(|number| number.replace(',', "").parse().unwrap_or_else(|_| panic!("{name}: {number}")))
}

#[test]
fn bounds_are_those_of_the_code() {
    macro_rules! told {
        ($type:ident: $($field:ident)*) => {
            $(assert_eq!(
                told(stringify!($field)),
                [u64::from($type::HOST.$field), u64::from($type::BOARD.$field)],
                stringify!($field)
            );)*
        };
    }
    told!(Limits: head_bytes_max target_bytes_max body_bytes_max message_bytes_max drain_bytes_max linger_bytes_max);
    told!(Deadlines: first_byte_ms idle_ms head_ms body_ms handler_ms response_ms ping_ms pong_ms linger_ms flush_ms);
    let [host, board] = [Deadlines::HOST, Deadlines::BOARD].map(|deadlines| deadlines.body_bytes_per_s);
    assert!(BOUNDS.contains(&format!("({host} bytes per second on hosts, {board} on boards)")));
    let [host, board] = [Deadlines::HOST, Deadlines::BOARD].map(|deadlines| deadlines.response_bytes_per_s);
    assert_eq!([host, board], [Deadlines::HOST, Deadlines::BOARD].map(|deadlines| deadlines.body_bytes_per_s));
}

/// Every public name of `esp_http_server.h` stands in the first cell of a row, whose second cell says what takes its place.
#[test]
fn every_name_of_esp_http_server_is_told_of() {
    let told: Vec<_> = rows(FROM_ESP).filter(|row| row.len() > 1 && !row[1].is_empty()).map(|row| row[0]).collect();
    let is_told = |name: &str| told.iter().any(|cell| cell.split('`').skip(1).step_by(2).any(|code| code == name));
    let missing: Vec<_> = NAMES.split_whitespace().filter(|name| !is_told(name)).collect();
    assert!(missing.is_empty(), "no row tells of {missing:?}");
    assert!(!is_told("httpd_start_the_car"), "the test would find anything");
}

/// The public names of `esp_http_server.h`, ESP-IDF 5.5 to 6.1, in the order of the chapter.
const NAMES: &str = "
    httpd_start httpd_stop httpd_handle_t httpd_config_t HTTPD_DEFAULT_CONFIG
    task_priority stack_size core_id task_caps max_req_hdr_len max_uri_len HTTPD_MAX_REQ_HDR_LEN HTTPD_MAX_URI_LEN
    server_port ctrl_port max_open_sockets max_uri_handlers max_resp_headers backlog_conn lru_purge_enable
    recv_wait_timeout send_wait_timeout global_user_ctx global_user_ctx_free_fn global_transport_ctx
    global_transport_ctx_free_fn enable_so_linger linger_timeout keep_alive_enable keep_alive_idle keep_alive_interval
    keep_alive_count open_fn close_fn uri_match_fn

    httpd_uri_t uri method handler user_ctx is_websocket handle_ws_control_frames supported_subprotocol
    ws_pre_handshake_cb ws_post_handshake_cb httpd_method_t HTTP_ANY httpd_register_uri_handler
    httpd_unregister_uri_handler httpd_unregister_uri httpd_uri_match_func_t httpd_uri_match_wildcard

    httpd_req_t handle aux content_len sess_ctx free_ctx ignore_sess_ctx_changes httpd_req_recv
    HTTPD_SOCK_ERR_FAIL HTTPD_SOCK_ERR_INVALID HTTPD_SOCK_ERR_TIMEOUT
    httpd_req_get_hdr_value_len httpd_req_get_hdr_value_str httpd_req_get_url_query_len httpd_req_get_url_query_str
    httpd_query_key_value httpd_req_get_cookie_val httpd_get_raw_req_data httpd_get_raw_req_data_len
    httpd_req_to_sockfd httpd_req_async_handler_begin httpd_req_async_handler_complete

    httpd_resp_send httpd_resp_send_chunk httpd_resp_sendstr httpd_resp_sendstr_chunk httpd_resp_set_status
    httpd_resp_set_type httpd_resp_set_hdr httpd_send HTTPD_RESP_USE_STRLEN
    HTTPD_200 HTTPD_204 HTTPD_207 HTTPD_400 HTTPD_404 HTTPD_408 HTTPD_500
    HTTPD_TYPE_JSON HTTPD_TYPE_TEXT HTTPD_TYPE_OCTET
    httpd_err_code_t httpd_err_handler_func_t httpd_register_err_handler httpd_resp_send_err
    httpd_resp_send_custom_err httpd_resp_send_404 httpd_resp_send_408 httpd_resp_send_500

    httpd_sess_get_ctx httpd_sess_set_ctx httpd_free_ctx_fn_t httpd_sess_get_transport_ctx
    httpd_sess_set_transport_ctx httpd_get_global_user_ctx httpd_get_global_transport_ctx httpd_sess_trigger_close
    httpd_sess_update_lru_counter httpd_get_client_list httpd_open_func_t httpd_close_func_t

    httpd_sess_set_recv_override httpd_sess_set_send_override httpd_sess_set_pending_override httpd_recv_func_t
    httpd_send_func_t httpd_pending_func_t httpd_socket_send httpd_socket_recv httpd_queue_work httpd_work_fn_t

    httpd_ws_frame_t httpd_ws_type_t httpd_ws_client_info_t httpd_ws_recv_frame httpd_ws_send_frame
    httpd_ws_send_frame_async httpd_ws_send_data httpd_ws_send_data_async httpd_ws_get_fd_info transfer_complete_cb

    ESP_HTTP_SERVER_EVENT esp_http_server_event_data esp_http_server_event_id_t
    HTTP_SERVER_EVENT_ERROR HTTP_SERVER_EVENT_START HTTP_SERVER_EVENT_ON_CONNECTED HTTP_SERVER_EVENT_ON_HEADER
    HTTP_SERVER_EVENT_HEADERS_SENT HTTP_SERVER_EVENT_ON_DATA HTTP_SERVER_EVENT_SENT_DATA
    HTTP_SERVER_EVENT_DISCONNECTED HTTP_SERVER_EVENT_STOP

    ESP_ERR_HTTPD_BASE ESP_ERR_HTTPD_HANDLERS_FULL ESP_ERR_HTTPD_HANDLER_EXISTS ESP_ERR_HTTPD_INVALID_REQ
    ESP_ERR_HTTPD_RESULT_TRUNC ESP_ERR_HTTPD_RESP_HDR ESP_ERR_HTTPD_RESP_SEND ESP_ERR_HTTPD_ALLOC_MEM
    ESP_ERR_HTTPD_TASK
";
