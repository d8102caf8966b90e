// The server turns the text into squares; here they are painted.
(() => {
  let waiting = null;
  window.__sim.qr = {
    draw(canvas, text) {
      waiting = { canvas, text };
      window.__sim.socket.say({ do: 'draw', text });
    },
    paint({ text, rows }) {
      if (waiting?.text !== text) return;
      const { canvas } = waiting;
      const ink = canvas.getContext('2d');
      const side = Math.floor(canvas.width / rows.length);
      const edge = Math.floor((canvas.width - side * rows.length) / 2);
      ink.clearRect(0, 0, canvas.width, canvas.height);
      ink.fillStyle = 'white';
      ink.fillRect(0, 0, canvas.width, canvas.height);
      ink.fillStyle = 'black';
      rows.forEach((row, y) => [...row].forEach((dark, x) => {
        if (dark === '1') ink.fillRect(edge + x * side, edge + y * side, side, side);
      }));
    },
  };
})();
