using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>A function of one real number.</summary>
internal interface IRealFunction
{
    float Apply(float value);
}

/// <summary>x for x >= 0, alpha * x below.</summary>
internal readonly record struct LeakyReluTable(float Alpha) : IRealFunction
{
    public float Apply(float value) => value >= 0 ? value : Alpha * value;
}

/// <summary>1 / (1 + exp(-x)) by the rational function of ONNX Runtime (MlasComputeLogistic), so that codes on the edge between two round as there.</summary>
internal readonly record struct SigmoidTable : IRealFunction
{
    private static readonly float[] Odd = [4.37031012579801e-11f, 1.15627324459942e-07f, 6.08574864600143e-05f, 8.51377133304701e-03f, 2.48287947061529e-01f];
    private static readonly float[] Even = [6.10247389755681e-13f, 5.76102136993427e-09f, 6.29106785017040e-06f, 1.70198817374094e-03f, 1.16817656904453e-01f, 9.93151921023180e-01f];

    public float Apply(float value)
    {
        float x = Math.Clamp(value, -18f, 18f), square = x * x;
        return Math.Clamp(Horner(Odd, square) * x / Horner(Even, square) + 0.5f, 0, 1);
    }

    private static float Horner(float[] coefficients, float x)
    {
        float sum = coefficients[0];
        for (int i = 1; i < coefficients.Length; i++) sum = MathF.FusedMultiplyAdd(sum, x, coefficients[i]);
        return sum;
    }
}

/// <summary>com.microsoft QLinearSigmoid and QLinearLeakyRelu (x, sx, zx, sy, zy): a table of 256 codes.</summary>
internal sealed unsafe record QLinearLookup<TFunction>(TFunction Function) : IOperator where TFunction : struct, IRealFunction
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(4, 5);
        context.SetOutput(0, context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor x = context.Input(0);
        context.Node.Expect(x.Type.Is8Bit(), $"takes {x}, expected uint8 or int8");
        byte[] table = LookupTable.Of(x.Type, context.CodeScale(1, 2), context.CodeScale(3, 4), Function.Apply);
        LookupTable.Apply(table, x.Address, context.Output(0).Address, x.ElementCount);
    }
}
