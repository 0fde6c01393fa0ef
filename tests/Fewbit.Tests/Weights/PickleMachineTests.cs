using System.Globalization;
using System.Text;
using Fewbit.Weights.Torch;

namespace Fewbit.Tests.Weights;

public sealed class PickleMachineTests
{
    [Theory]
    [InlineData("\u0080\u0002K\u0005.", "5")]
    [InlineData("\u0080\u0002M\u0001\u0002.", "513")]
    [InlineData("\u0080\u0002J\u00fe\u00ff\u00ff\u00ff.", "-2")]
    [InlineData("\u0080\u0002\u008a\u0001\u00ff.", "-1")]
    [InlineData("\u0080\u0002\u008a\u0000.", "0")]
    [InlineData("\u0080\u0002G\u003f\u00f8\u0000\u0000\u0000\u0000\u0000\u0000.", "1.5")]
    [InlineData("\u0080\u0002X\u0002\u0000\u0000\u0000\u00c3\u00a9.", "é")]
    [InlineData("\u0080\u0002U\u0002ab.", "ab")]
    [InlineData("\u0080\u0002(K\u0001K\u0002N\u0086\u0088t.", "(1, (2, None), True)")]
    [InlineData("\u0080\u0002]q\u0000(K\u0001h\u0000e.", "[1, [...]]")]
    [InlineData("\u0080\u0002}q\u0000(X\u0001\u0000\u0000\u0000aK\u0001X\u0001\u0000\u0000\u0000bK\u0002X\u0001\u0000\u0000\u0000aK\u0003u.", "{a: 3, b: 2}")]
    [InlineData("\u0080\u0002ccollections\nOrderedDict\nq\u0000)R}(X\u0001\u0000\u0000\u0000mK\u0001ub.", "{}")]
    public void Run_DataInstructions_GiveTheValue(string pickle, string expected)
    {
        Assert.Equal(expected, Text(Run(pickle), 0));
    }

    [Theory]
    [InlineData("\u0080\u0002cos\nsystem\nX\u0001\u0000\u0000\u0000aR.", "names os.system, which is no part of tensors by name; it was not executed")]
    [InlineData("\u0080\u0002c__builtin__\neval\n.", "names __builtin__.eval")]
    [InlineData("\u0080\u0002c__torch__.nets\nNet\n.", "The file is a TorchScript program")]
    [InlineData("\u0080\u0002X\u0002\u0000\u0000\u0000osX\u0006\u0000\u0000\u0000system\u0093.", "names os.system")]
    [InlineData("\u0080\u0002ios\nsystem\n.", "has the pickle instruction 0x69 'i', which weights do not need; it was not executed")]
    [InlineData("\u0080\u0002\u0082\u0001.", "has the pickle instruction 0x82, which")]
    [InlineData("\u0080\u0001.", "has a pickle of protocol 1, expected 2 to 5")]
    [InlineData("\u0080\u0002K\u0001", "is truncated: the pickle ends inside an instruction")]
    [InlineData("\u0080\u0002J\u0001", "is truncated: the pickle ends inside a number")]
    [InlineData("\u0080\u0002X\u00ff\u00ff\u00ff\u007f" + "a.", "a pickled text claims 2147483647 bytes, 2 are left")]
    [InlineData("\u0080\u0002h\u0007.", "recalls value 7, which was never stored")]
    [InlineData("\u0080\u0002t.", "an instruction finds no value")]
    [InlineData("\u0080\u0002(.", "an instruction finds no value")]
    [InlineData("\u0080\u0002K\u0001K\u0002s.", "an instruction finds no value")]
    [InlineData("\u0080\u0002K\u0001K\u0002K\u0003s.", "sets items of what is no dict")]
    [InlineData("\u0080\u0002K\u0001K\u0002a.", "appends to what is no list")]
    [InlineData("\u0080\u0002K\u0001)R.", "calls what is no function with 0 arguments")]
    [InlineData("\u0080\u0002ccollections\nOrderedDict\nK\u0001R.", "calls without a tuple of arguments")]
    [InlineData("\u0080\u0002ctorch._utils\n_rebuild_tensor_v2\n)R.", "calls RebuildTensor with 0 arguments that are not those of PyTorch")]
    [InlineData("\u0080\u0002K\u0001Nb.", "sets attributes of an object that is no dict or tensor")]
    [InlineData("\u0080\u0002K\u0001Q.", "has a persistent id that is no storage")]
    [InlineData("\u0080\u0002}N]s.", "no texts or numbers")]
    public void Run_WhatIsNoData_IsRefusedByName(string pickle, string expected)
    {
        string message = Assert.Throws<InvalidDataException>(() => Run(pickle)).Message;

        Assert.StartsWith("file: ", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_LongNumber_IsAsWideAsItNeedsToBe()
    {
        Assert.Equal(1L << 40, Run("\u0080\u0002\u008a\u0006\u0000\u0000\u0000\u0000\u0000\u0001."));
        Assert.Equal(System.Numerics.BigInteger.Pow(2, 64), Run("\u0080\u0002\u008a\u0009\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0001."));
    }

    private static object? Run(string pickle) => new PickleMachine(new(new MemoryStream(Encoding.Latin1.GetBytes(pickle)), "file"), new TorchWorld("file")).Run();

    private static string Text(object? value, int depth) => value switch
    {
        null => "None",
        PickleTuple tuple => $"({string.Join(", ", tuple.Items.Select(item => Text(item, depth + 1)))})",
        PickleList when depth > 0 => "[...]",
        PickleList list => $"[{string.Join(", ", list.Items.Select(item => Text(item, depth + 1)))}]",
        PickleDict dict => $"{{{string.Join(", ", dict.Pairs.Select(pair => $"{pair.Key}: {Text(pair.Value, depth + 1)}"))}}}",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}
