using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class RecurrentTests
{
    [Theory]
    [InlineData("LSTM", 4, 0)]
    [InlineData("GRU", 3, 0)]
    [InlineData("GRU", 3, 1)]
    [InlineData("RNN", 1, 0)]
    public void Bidirectional_SequenceLengths_EqualsScalarCell(string opType, int gates, long variant)
    {
        const int steps = 5, batch = 3, input = 4, hidden = 6;
        Tensor x = OneNode.Doubles(1, steps, batch, input), w = OneNode.Doubles(2, 2, gates * hidden, input), r = OneNode.Doubles(3, 2, gates * hidden, hidden);
        Tensor b = OneNode.Doubles(4, 2, 2 * gates * hidden), h = OneNode.Doubles(5, 2, batch, hidden), c = OneNode.Doubles(6, 2, batch, hidden), lengths = Tensor.From(5, 2, 4);
        Attributes attributes = new() { { "hidden_size", hidden }, { "direction", "bidirectional" } };
        if (opType == "GRU") attributes.Add("linear_before_reset", variant);
        Tensor?[] inputs = opType == "LSTM" ? [x, w, r, b, lengths, h, c] : [x, w, r, b, lengths, h];
        Tensor y = OneNode.RunAll(opType, attributes, inputs)[0];
        var expected = new double[steps * 2 * batch * hidden];
        for (int d = 0; d < 2; d++)
        {
            for (int n = 0; n < batch; n++)
            {
                double[] state = h.Span<double>().Slice((d * batch + n) * hidden, hidden).ToArray(), cell = c.Span<double>().Slice((d * batch + n) * hidden, hidden).ToArray();
                int length = lengths.Span<int>()[n];
                for (int i = 0; i < length; i++)
                {
                    int t = d == 0 ? i : length - 1 - i;
                    Step(opType, variant != 0, x.Span<double>().Slice((t * batch + n) * input, input), Part(w, d), Part(r, d), Part(b, d), state, cell);
                    state.CopyTo(expected.AsSpan(((t * 2 + d) * batch + n) * hidden));
                }
            }
        }
        OneNode.AssertClose(expected, y, 1e-12);
        Tensor?[] floats = [.. inputs.Select(tensor => tensor is { Type: ElementType.Float64 } ? Tensor.From<float>(Array.ConvertAll(tensor.Span<double>().ToArray(), value => (float)value), tensor.Shape) : tensor)];
        OneNode.AssertClose(expected, OneNode.RunAll(opType, attributes, floats)[0]);
    }

    [Fact]
    public void Infer_WrongWeight_NamesShapes() => Assert.Equal("LSTM 'it': W has shape [1, 16, 3], expected [1, 20, 3]",
        OneNode.Error("LSTM", new() { { "hidden_size", 5 } }, ["T", "N", 3], [1, 16, 3], [1, 20, 5]));

    private static Span<double> Part(Tensor tensor, int direction) => tensor.Span<double>().Slice(direction * (int)tensor.ElementCount / 2, (int)tensor.ElementCount / 2);

    private static void Step(string opType, bool variant, ReadOnlySpan<double> x, ReadOnlySpan<double> w, ReadOnlySpan<double> r, ReadOnlySpan<double> b, double[] h, double[] c)
    {
        int size = h.Length, gates = b.Length / 2 / size;
        double[] old = [.. h];
        double[] projected = new double[gates * size], recurrent = new double[gates * size];
        for (int g = 0; g < gates * size; g++)
        {
            projected[g] = b[g];
            recurrent[g] = b[gates * size + g];
            for (int i = 0; i < x.Length; i++) projected[g] += w[g * x.Length + i] * x[i];
            for (int j = 0; j < size; j++) recurrent[g] += r[g * size + j] * old[j];
        }
        static double Sigmoid(double value) => 1 / (1 + Math.Exp(-value));
        for (int j = 0; j < size; j++)
        {
            double Gate(int gate) => projected[gate * size + j] + recurrent[gate * size + j];
            if (opType == "RNN") h[j] = Math.Tanh(Gate(0));
            else if (opType == "LSTM")
            {
                c[j] = Sigmoid(Gate(2)) * c[j] + Sigmoid(Gate(0)) * Math.Tanh(Gate(3));
                h[j] = Sigmoid(Gate(1)) * Math.Tanh(c[j]);
            }
            else
            {
                double candidate = projected[2 * size + j], update = Sigmoid(Gate(0));
                if (variant) candidate += Sigmoid(Gate(1)) * recurrent[2 * size + j];
                else
                {
                    candidate += b[5 * size + j];
                    for (int k = 0; k < size; k++) candidate += r[(2 * size + j) * size + k] * Sigmoid(projected[size + k] + recurrent[size + k]) * old[k];
                }
                h[j] = (1 - update) * Math.Tanh(candidate) + update * old[j];
            }
        }
    }
}
