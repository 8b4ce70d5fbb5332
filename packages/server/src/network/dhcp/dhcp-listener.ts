import { createLog, UdpPort } from '../../platform/index.ts';
import { type DhcpRequest, parseDhcpRequest } from './dhcp-request.ts';

const SERVER_PORT = 67;
const log = createLog('network');

/**
 * Hears what machines ask DHCP for, beside dnsmasq, which answers. The kernel gives a broadcast to each socket that is bound to
 * its address: this one is bound to the broadcast address, so it gets nothing else, and takes nothing from dnsmasq. What is
 * renewed is sent to the server alone, and not heard.
 */
export function hearDhcp(receive: (request: DhcpRequest) => void): Promise<UdpPort> {
  return UdpPort.open({
    ...{ name: 'DHCP requests', log, address: '255.255.255.255', port: SERVER_PORT, shared: true },
    receive: (packet) => {
      const request = parseDhcpRequest(packet);
      if (request) receive(request);
    },
  });
}
