using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>RNN, GRU and LSTM step by step in simpler operators.</summary>
internal static class RecurrentSpelling
{
    /// <summary>Outputs: y, the last state, and the last cell of an LSTM.</summary>
    public static IReadOnlyList<Value?> SpellOut(Recurrent op, Node node, Value?[] inputs)
    {
        Value x = inputs[0]!;
        if (x.Shape is not { Rank: 3 } shape || !shape[op.BatchFirst ? 1 : 0].IsKnown || inputs[2]!.Shape is not { Rank: 3 } weight || !weight[2].IsKnown)
            throw node.Fail($"has an input {x} of which its gradient rule must know the number of steps, and a recurrent weight {inputs[2]} of which it must know the width: build or load the graph with these lengths fixed");
        var directions = new List<Value[]>();
        for (int d = 0; d < op.Directions; d++) directions.Add(new Direction(op, inputs, d, (int)shape[op.BatchFirst ? 1 : 0].Length, weight[2].Length).SpellOut());
        Value?[] outputs = [.. Enumerable.Range(0, directions[0].Length).Select(i => Joined(x.Graph, i == 0 ? 1 : 0, [.. directions.Select(direction => direction[i])]))];
        if (!op.BatchFirst) return outputs;
        return [.. outputs.Select((output, i) => output!.Apply("Transpose", new Attributes { { "perm", i == 0 ? [2, 0, 1, 3] : new long[] { 1, 0, 2 } } }))];
    }

    /// <summary>Values side by side along a new axis.</summary>
    private static Value Joined(Graph graph, long axis, Value[] values)
    {
        Value axes = graph.AddConstant("axis", Tensor.From(axis));
        Value[] parts = [.. values.Select(value => value.Apply("Unsqueeze", axes))];
        return parts[0].Apply("Concat", new Attributes { { "axis", axis } }, parts.AsSpan(1));
    }

    /// <summary>One direction, with its weights.</summary>
    private sealed class Direction
    {
        private readonly Recurrent _op;
        private readonly Value?[] _inputs;
        private readonly int _direction, _steps;
        private readonly long _hidden;
        private readonly Value _x;

        public Direction(Recurrent op, Value?[] inputs, int direction, int steps, long hidden)
        {
            (_op, _inputs, _direction, _steps, _hidden) = (op, inputs, direction, steps, hidden);
            _x = op.BatchFirst ? inputs[0]!.Apply("Transpose", new Attributes { { "perm", new long[] { 1, 0, 2 } } }) : inputs[0]!;
        }

        private Graph Graph => _x.Graph;

        public Value[] SpellOut()
        {
            Value weight = Item(_inputs[1]!, 0, _direction), recurrent = Item(_inputs[2]!, 0, _direction).Apply("Transpose");
            Value? bias = At(Recurrent.Bias) is { } stated ? Item(stated, 0, _direction) : null;
            (Value? input, Value? added) = bias is null ? (null, null) : (Part(bias, 0, _op.Gates), Part(bias, _op.Gates, _op.Gates));
            Value projected = _x.MatMul(weight.Apply("Transpose"));
            if (input is not null) projected += input;
            Value hidden = State(Recurrent.InitialHidden), cell = _op.Cell == Cell.Lstm ? State(Recurrent.InitialCell) : hidden;
            var rows = new Value[_steps];
            bool isReverse = _direction == 1 || _op.Direction == "reverse";
            for (int i = 0; i < _steps; i++)
            {
                int t = isReverse ? _steps - 1 - i : i;
                (Value nextHidden, Value nextCell) = Step(Item(projected, 0, t), hidden, cell, recurrent, added);
                rows[t] = nextHidden;
                if (At(Recurrent.Lengths) is { } lengths)
                {
                    Value isAlive = Graph.AddConstant("t", Tensor.Scalar(t)).Apply("Less", lengths).Apply("Unsqueeze", Graph.AddConstant("axis", Tensor.From(1L)));
                    rows[t] = isAlive.Apply("Where", nextHidden, _x.Scalar(0));
                    (nextHidden, nextCell) = (isAlive.Apply("Where", nextHidden, hidden), isAlive.Apply("Where", nextCell, cell));
                }
                (hidden, cell) = (nextHidden, nextCell);
            }
            Value y = Joined(Graph, 0, rows);
            return _op.Cell == Cell.Lstm ? [y, hidden, cell] : [y, hidden];
        }

        private (Value Hidden, Value Cell) Step(Value x, Value hidden, Value cell, Value recurrent, Value? bias)
        {
            if (_op.Cell == Cell.Gru) return (Gru(x, hidden, recurrent, bias), cell);
            Value sum = x + hidden.MatMul(recurrent);
            if (bias is not null) sum += bias;
            if (_op.Cell == Cell.Rnn) return (Activate(0, sum), cell);
            Value input = Activate(0, Peep(Part(sum, 0), 0, cell)), forget = _op.Variant ? 1f - input : Activate(0, Peep(Part(sum, 2), 2, cell));
            cell = forget * cell + input * Activate(1, Part(sum, 3));
            Value output = Activate(0, Peep(Part(sum, 1), 1, cell));
            return (output * Activate(2, cell, clips: false), cell);
        }

        private Value Gru(Value x, Value hidden, Value recurrent, Value? bias)
        {
            Value Weight(int gate) => Part(recurrent, gate);
            Value Gate(int gate)
            {
                Value sum = Part(x, gate) + hidden.MatMul(Weight(gate));
                return Activate(0, bias is null ? sum : sum + Part(bias, gate));
            }
            Value update = Gate(0), reset = Gate(1), product = _op.Variant ? hidden.MatMul(Weight(2)) : (reset * hidden).MatMul(Weight(2));
            if (bias is not null) product += Part(bias, 2);
            if (_op.Variant) product = reset * product;
            Value candidate = Activate(1, Part(x, 2) + product);
            return (1f - update) * candidate + update * hidden;
        }

        private Value Peep(Value gate, int index, Value cell) => At(Recurrent.Peepholes) is { } peepholes ? gate + Part(Item(peepholes, 0, _direction), index) * cell : gate;

        private Value Activate(int index, Value x, bool clips = true) =>
            _op.Activations[_direction * (_op.Activations.Length / _op.Directions) + index].SpellOut(x, clips ? _op.Clip : float.PositiveInfinity);

        /// <summary>The first state [N, H]; zeros where none is stated.</summary>
        private Value State(int input)
        {
            if (At(input) is { } stated) return Item(stated, _op.BatchFirst ? 1 : 0, _direction);
            Value shape = _x.Apply("Shape", new Attributes { { "start", 1 }, { "end", 2 } }).Apply("Concat", new Attributes { { "axis", 0 } }, Graph.AddConstant("H", Tensor.From(_hidden)));
            Tensor zero = _x.Type == ElementType.Float64 ? Tensor.From(0.0) : Tensor.From(0f);
            return shape.Apply("ConstantOfShape", new Attributes { { "value", zero } });
        }

        /// <summary>Columns of some gates, of the last dimension.</summary>
        private Value Part(Value value, int gate, int gates = 1) => value.Apply("Slice", Integers(gate * _hidden), Integers((gate + gates) * _hidden), Integers(-1));

        private static Value Item(Value value, int axis, long index) => value.Apply("Gather", new Attributes { { "axis", axis } }, value.Graph.AddConstant("index", Tensor.Scalar(index)));

        private Value? At(int index) => index < _inputs.Length ? _inputs[index] : null;

        private Value Integers(long number) => Graph.AddConstant("columns", Tensor.From(number));
    }
}
