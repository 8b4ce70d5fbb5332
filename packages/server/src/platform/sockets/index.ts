/** Sockets for strangers: bounded before they are read, and each with its own end when it fails. */
export { answers, dial } from './dial.ts';
export { Gate } from './gate.ts';
export { isHangUp } from './hang-up.ts';
export { type HttpLimits, HttpListener, type Reason, type Refusal } from './http-listener.ts';
export { machineRefusal, sendText } from './plain-text.ts';
export { askServer, type RootAct, RootSocket } from './root-socket.ts';
export { sendStream, streamOf } from './send-stream.ts';
export { type Peer, UdpPort } from './udp-port.ts';
