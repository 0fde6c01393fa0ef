using Fewbit.Graphs.Operators;

namespace Fewbit.Graphs.Tests.Differentiation;

/// <summary>Operators without a case of finite differences, and why.</summary>
internal static class NotDifferentiable
{
    private const string
        Relations = "gives or takes truth values, integers or bits",
        Lengths = "gives lengths or positions",
        Constants = "gives constants: no input of real numbers",
        Codes = "computes on integer codes; learning sees a fake quantizer instead",
        Updates = "changes variables at the end of a training step",
        Steps = "a gradient that passes through steps: what it is the gradient of is no function with a second derivative";

    public static Dictionary<(string Domain, string OpType), string> Reasons { get; } = Table();

    private static Dictionary<(string, string), string> Table()
    {
        var table = new Dictionary<(string, string), string>();
        void Add(string domain, string reason, params string[] names)
        {
            foreach (string name in names) table.Add((domain, name), reason);
        }
        Add("", Relations, "And", "Or", "Xor", "Not", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift", "BitCast", "IsNaN", "IsInf");
        Add("", Lengths, "Shape", "Size", "NonZero", "ArgMax", "ArgMin", "NonMaxSuppression");
        Add("", Constants, "Constant", "ConstantOfShape", "EyeLike", "HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix", "TfIdfVectorizer");
        Add("", Codes, "QuantizeLinear", "DequantizeLinear", "QLinearConv", "DynamicQuantizeLinear", "ConvInteger", "QLinearMatMul", "MatMulInteger");
        Add("com.microsoft", Codes, "QuantizeLinear", "DequantizeLinear", "QLinearConv", "MatMulIntegerToFloat", "QGemm", "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearWhere", "QLinearSigmoid",
            "QLinearLeakyRelu", "QLinearSoftmax", "QLinearAveragePool", "QLinearGlobalAveragePool", "MatMulNBits", "DynamicQuantizeMatMul");
        Add("ai.fewbit", Codes, "SignedCodes");
        Add("ai.fewbit", Updates, [.. OperatorTable.Names.Where(name => name.Domain == "ai.fewbit" && name.OpType.EndsWith("Update", StringComparison.Ordinal)).Select(name => name.OpType)]);
        Add("ai.fewbit", Steps, "FakeQuantize", "FakeQuantizeGradient", "DropQuantize", "DropQuantizeGradient", "LevelQuantize", "LevelQuantizeGradient");
        Add("ai.fewbit", "gradients of what learned rounding minimizes, which methods differentiate once", "SoftRoundedWeightGradient", "SoftBetweenGradient", "RoundingRegularizerGradient", "PowerLossGradient");
        Add("ai.fewbit", "passes put them into graphs that are run, not learned", "Reorder", "PacketMean", "ColumnConvTranspose", "RationalSigmoid");
        Add("ai.fewbit", "float32 only: FusedGradientTests compare it with its parts", "FusedMatMul");
        return table;
    }
}
