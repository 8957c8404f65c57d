// The WebSocket echo on uWebSockets: one thread, epoll, no compression.

#include <cstdio>
#include <string_view>

#include "App.h"

struct Nothing {};

static uWS::App::WebSocketBehavior<Nothing> behavior() {
    uWS::App::WebSocketBehavior<Nothing> behavior;
    behavior.compression = uWS::DISABLED;
    behavior.maxPayloadLength = 1 << 20;
    behavior.maxBackpressure = 1 << 26;
    return behavior;
}

int main() {
    uWS::App app;
    auto echo = behavior();
    echo.message = [](auto *socket, std::string_view message, uWS::OpCode code) { socket->send(message, code); };
    auto room = behavior();
    room.open = [](auto *socket) { socket->subscribe("room"); };
    // To all, the sender too.
    room.message = [&app](auto *, std::string_view message, uWS::OpCode code) { app.publish("room", message, code); };
    app.ws<Nothing>("/echo", std::move(echo)).ws<Nothing>("/room", std::move(room));
    app.listen("127.0.0.1", 0, [](auto *listener) {
        if (!listener) return;
        std::printf("listening on 127.0.0.1:%d\n", us_socket_local_port(0, reinterpret_cast<us_socket_t *>(listener)));
        std::fflush(stdout);
    });
    app.run();
}
