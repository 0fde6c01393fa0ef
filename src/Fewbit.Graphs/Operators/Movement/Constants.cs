using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Constant: the tensor of an attribute.</summary>
internal sealed record Constant(Tensor Value) : IOperator
{
    public static Constant Parse(Node node)
    {
        foreach ((string name, object value) in node.Attributes)
        {
            switch (name, value)
            {
                case ("value", Tensor tensor): return new(tensor);
                case ("value_float", float number): return new(Tensor.Scalar(number));
                case ("value_floats", float[] numbers): return new(Tensor.From<float>(numbers));
                case ("value_int", long number): return new(Tensor.Scalar(number));
                case ("value_ints", long[] numbers): return new(Tensor.From<long>(numbers));
            }
        }
        throw node.Fail("holds no tensor or numbers");
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(0, 0);
        context.SetOutput(0, Value.Type, SymbolicShape.From(Value.Shape));
        if (Inference.DimsOf(Value) is { } dims) context.SetOutputDims(0, dims);
    }

    public void Evaluate(EvaluationContext context) => Value.CopyTo(context.Output(0));
}

/// <summary>ONNX ConstantOfShape: a tensor of the given shape, every element one value.</summary>
internal sealed record ConstantOfShape(Tensor Value) : IOperator
{
    public static ConstantOfShape Parse(Node node)
    {
        Tensor value = node.Attribute<Tensor>("value") ?? Tensor.Scalar(0f);
        node.Expect(value.ElementCount == 1, $"value is {value}, expected one element");
        return new(value);
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        foreach (long length in context.InputInts(0) ?? []) context.Node.Expect(length >= 0, $"makes a tensor with a dimension of {length}, expected 0 or more");
        SymbolicShape? shape = context.InputDims(0) is { } dims ? new(dims)
            : context.InputShape(0) is { Rank: 1, IsKnown: true } length1 ? SymbolicShape.OfRank((int)length1[0].Length) : null;
        context.SetOutput(0, Value.Type, shape);
        if (shape is { Rank: 1, IsKnown: true } && shape[0].Length <= 64 && Inference.DimsOf(Value) is [var element])
        {
            context.SetOutputDims(0, [.. Enumerable.Repeat(element, (int)shape[0].Length)]);
        }
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Value.Type.IsPacked() && Converted.Unpacked(context, this)) return;
        Tensor value = Value.Type.IsPacked() ? PackedElements.Unpack(Value) : Value, output = context.Output(0);
        StridedCopy.Run(context.Node, value.Type, value.Address, output.Address, [new(output.ElementCount, 0, 1)]);
        GC.KeepAlive(value);
        GC.KeepAlive(context);
    }
}
