import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseSubnet } from '../subnet.ts';
import { parseLeases, renderConfig, renderDhcpHosts, renderDnsHosts } from './dnsmasq-config.ts';

const host = { mac: '52:54:00:00:00:01', ip: '10.0.0.2', name: 'vnode1' };

describe('hosts files', () => {
  it('give a node its address for long, and both its names', () => {
    assert.equal(renderDhcpHosts([host]), '52:54:00:00:00:01,10.0.0.2,1d\n');
    assert.equal(renderDhcpHosts([{ ...host, nat: true }]), '52:54:00:00:00:01,set:routed,10.0.0.2,1d\n');
    assert.equal(renderDnsHosts([host], 'mark'), '10.0.0.2 vnode1.walt vnode1\n0.0.0.0 mark\n');
  });
  for (const [what, wrong] of [
    ['mac', 'set:x'],
    ['ip', '10.0.0.2,ignore'],
    ['name', 'a\n10.0.0.9 b'],
  ] as const) {
    it(`refuse an ill-formed ${what}`, () => {
      assert.throws(() => renderDhcpHosts([{ ...host, [what]: wrong }]));
      assert.throws(() => renderDnsHosts([{ ...host, [what]: wrong }], 'mark'));
    });
  }
});

describe('renderConfig', () => {
  const render = (alone = true) =>
    renderConfig({
      subnet: parseSubnet('10.0.0.0/16'),
      bridge: 'walt0',
      files: { dhcpHosts: '/h', dnsHosts: '/d', leases: '/l' },
      alone,
    }).split('\n');

  it('sends each kind of firmware to what it loads', () => {
    assert.deepEqual(
      render().filter((line) => /tftp|boot=/.test(line)),
      [
        // biome-ignore lint/suspicious/noTemplateCurlyInString: iPXE fills these in
        'dhcp-boot=tag:ipxe,"http://10.0.0.1/boot/ipxe?mac=${netX/mac}&arch=${buildarch}&product=${product:uristring}&manufacturer=${manufacturer:uristring}"',
        'dhcp-boot=tag:uboot,boot.scr.uimg',
        'dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe',
        'dhcp-boot=tag:efi,tag:!ipxe,snponly.efi',
        'dhcp-boot=tag:efi-http,tag:!ipxe,http://10.0.0.1/snponly.efi',
        'dhcp-boot=tag:efi-arm64,tag:!ipxe,grubnetaa64.efi',
        'dhcp-boot=tag:efi-arm64-http,tag:!ipxe,http://10.0.0.1/grubnetaa64.efi',
        'dhcp-boot=tag:raspberry-mac,tag:raspberry-class,bootcode.bin,,10.0.0.1',
      ],
    );
  });
  it('denies addresses of others only where nobody else gives any', () => {
    assert.ok(render().includes('dhcp-authoritative'));
    assert.ok(!render(false).includes('dhcp-authoritative'));
  });
});

it('parseLeases reads what dnsmasq writes', () => {
  const text = `1795456335 52:54:00:00:00:01 10.0.0.2 * ff:00:01
0 52:54:00:00:00:02 10.0.128.9 pi *
duid 00:01:00
`;
  assert.deepEqual(parseLeases(text), [
    { mac: '52:54:00:00:00:01', ip: '10.0.0.2', expires: 1795456335, hostname: null },
    { mac: '52:54:00:00:00:02', ip: '10.0.128.9', expires: 0, hostname: 'pi' },
  ]);
});
