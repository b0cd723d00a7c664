// npm's proxmox-api, unmodified: prints what it was told as one JSON text.
import proxmoxApi from 'proxmox-api';

const { host, node, vmid, ...login } = JSON.parse(process.env.TWIN);
const proxmox = proxmoxApi({ host, port: 8006, ...login });
const guest = proxmox.nodes.$(node).qemu.$(vmid);
const refusal = await proxmox.nodes.$(node).qemu.$(999).config.$get().catch((error) => error.message);
await guest.config.$put({ description: 'by proxmox-api' });
const task = await guest.status.stop.$post();
let state;
do {
  state = await proxmox.nodes.$(node).tasks.$(task).status.$get();
} while (state.status !== 'stopped');
console.log(JSON.stringify({
  version: (await proxmox.version.$get()).version,
  nodes: (await proxmox.nodes.$get()).map((one) => one.node),
  storages: (await proxmox.cluster.resources.$get({ type: 'storage' })).length,
  description: (await guest.config.$get()).description,
  exit: state.exitstatus,
  refusal,
}));
